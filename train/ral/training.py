"""Train RAL on clips: `echoedge train ral`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from edge.errors import DataError
from train.augment import MILD, AugmentSpec
from train.checkpoint import load_checkpoint, weights_of
from train.data.clips import Clip, open_clips
from train.data.sample import MYOCARDIUM
from train.data.split import check_sides, fold_patients, split_samples
from train.fit import FitConfig, fit
from train.initialise import initialise
from train.losses import dice_cross_entropy
from train.nets.pspnet_mk import upsample
from train.nets.ral import RECURRENT_NETS, Parts, parts_without
from train.ral.data import ClipData, CroppedClip
from train.ral.score import score_clips
from train.segmentation import CLASSES, read_sides

SIZE_PX = 256
AUGMENT = {"wide": AugmentSpec(), "mild": MILD}
LENGTH, WINDOW = 20, 5
"""Frames of a training item, and of the pieces that gradients are carried through."""
VIEW_WEIGHT = 0.2
"""lambda_c of equation (7) where lambda_s is 1; the paper says only that both were chosen empirically."""
PAPER = FitConfig(
    epochs=60, batch=2, optimizer="adamw", lr=1e-3, lr_end=1e-5, weight_decay=1e-4, warmup_steps=100, plateau=4
)
"""Adam at 1e-3, decayed where validation Dice stands still (section 3)."""


def unrest(logits: torch.Tensor, masks: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    """What flicker measures, as a loss: mean |change of a class's area - true change| from frame to frame, as a share
    of its mean true area, over the foreground classes.

    N x T x classes x h x h logits, N x T x size x size int64 masks, N x T starts; a scalar, 0 where no frame follows
    another.
    """
    classes = logits.shape[2]
    found = logits.softmax(2)[:, :, 1:].mean((3, 4))
    true = torch.stack([(masks == k).float().mean((2, 3)) for k in range(1, classes)], 2)
    follows = (~starts[:, 1:, None]).float()
    change = ((found - true).diff(dim=1).abs() * follows).sum((0, 1)) / follows.sum().clamp_min(1)
    return (change / true.mean((0, 1)).clamp_min(1e-3)).mean()


def aggregation_loss(
    window: int, view_weight: float = VIEW_WEIGHT, steady_weight: float = 0.0
) -> Callable[..., Iterator[torch.Tensor]]:
    """The aggregation loss, equations (5)-(7), one part for each `window` frames of an item.

    Equation (5) prints the Dice term as a gain: it enters as 1 - Dice. With four classes its binary cross-entropy
    becomes categorical and the Dice is the mean of the foreground classes; with two both are the paper's.
    `steady_weight` adds `unrest`, which the paper does not have. Gradients stop between windows, the states go on.
    """

    def loss(net: nn.Module, batch: list[torch.Tensor]) -> Iterator[torch.Tensor]:
        images, masks, views, starts = batch
        states = None
        for first in range(0, images.shape[1], window):
            part = np.s_[:, first : first + window]
            logits, view_logits, states = net(images[part], states, starts[part])
            target = masks[part].flatten(0, 1)
            with torch.autocast(images.device.type, enabled=False):
                value = dice_cross_entropy(upsample(logits.flatten(0, 1).float(), target.shape[-1]), target)
                if view_logits is not None:
                    value = value + view_weight * F.cross_entropy(
                        view_logits.flatten(0, 1).float(), views[part].flatten()
                    )
                if steady_weight:
                    value = value + steady_weight * unrest(logits.float(), masks[part], starts[part])
            states = tuple((y.detach(), h.detach()) for y, h in states) if states else None
            yield value * (masks[part].shape[1] / images.shape[1])

    return loss


def build_net(facts: dict[str, Any]) -> nn.Module:
    """The untrained network that a checkpoint's facts describe. Raises DataError for a size or part it cannot have."""
    try:
        parts = parts_without(facts.get("without", []))
        return RECURRENT_NETS[facts["net"]](len(facts["classes"]), facts["size"], parts=parts)
    except ValueError as error:
        raise DataError(str(error)) from error


def load_net(path: Path) -> nn.Module:
    """The network of a checkpoint of `echoedge train ral`, in evaluation mode."""
    tensors, facts = load_checkpoint(path)
    net = build_net(facts)
    net.load_state_dict(weights_of(tensors))
    return net.eval()


def train_clips(
    facts: dict[str, Any],
    training: Sequence[Clip],
    validation: Sequence[Clip],
    config: FitConfig,
    folder: Path,
    net: nn.Module,
    spec: AugmentSpec | None = AugmentSpec(),
    length: int = LENGTH,
    window: int = WINDOW,
    steady: float = 0.0,
) -> Path:
    """Train a network with RAL's forward on clips, resuming what `folder` holds; return the best checkpoint's path.

    facts: at least "net", "size" and "classes". steady: weight of `unrest` in the loss.

    Raises DataError when a patient is on both sides, or when four classes are
    asked of data with none but the LV.
    """
    check_sides(training, validation)
    size, classes = facts["size"], len(facts["classes"])
    if classes > 2 and not any((f.mask == MYOCARDIUM).any() for clip in training for f in clip.frames):
        raise DataError("the training data have no myocardium; train with --classes 2")
    data = ClipData(training, size, length, config.seed, spec, classes)
    held_out = [CroppedClip(clip, size, classes) for clip in validation]
    all_facts = {
        **facts,
        "training_frames": sum(len(clip.frames) for clip in training),
        "length": length,
        "window": window,
        "steady": steady,
        "validation_patients": sorted({clip.patient for clip in validation}),
    }
    return fit(
        net,
        data,
        aggregation_loss(window, steady_weight=steady),
        lambda model: score_clips(model, held_out, classes),
        config,
        folder,
        "mean",
        all_facts,
    )


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train ral",
        description="Train RAL: segmentation and view of every frame, with memory over time.",
        epilog="example: echoedge train ral --data synth:400@0 --data camus:/data/camus --valid synth:20@9000 --out runs/ral",
    )
    p.add_argument(
        "--data", action="append", required=True, help="KIND:FOLDER, may be repeated: synth:COUNT@SEED, camus:…"
    )
    p.add_argument("--valid", help="file of patient names, or KIND:FOLDER (default: a tenth of the patients, seeded)")
    p.add_argument("--exclude", type=Path, help="file of further patient names never to train on")
    p.add_argument("--folds", type=int, help="cross-validation: train so many times into OUT/fold-N (the paper: 10)")
    p.add_argument("--net", choices=tuple(RECURRENT_NETS), default="ral-small")
    p.add_argument(
        "--without", action="append", default=[], choices=tuple(Parts.__dataclass_fields__), help="leave a part out"
    )
    p.add_argument("--classes", type=int, choices=(2, 4), default=4, help="2 is LV or not, as in the paper")
    p.add_argument("--size", type=int, default=SIZE_PX, help=f"input size in px (default {SIZE_PX})")
    p.add_argument("--init-from", type=Path, help="checkpoint of another run to start from, of any --size")
    p.add_argument("--clip-frames", type=int, default=24, help="frames taken of each synthetic loop (default 24)")
    p.add_argument("--length", type=int, default=LENGTH, help=f"frames of a training item (default {LENGTH})")
    p.add_argument("--window", type=int, default=WINDOW, help=f"frames gradients go back through (default {WINDOW})")
    p.add_argument(
        "--steady", type=float, default=0.0, metavar="WEIGHT", help="of flicker in the loss (default 0: the paper's)"
    )
    p.add_argument(
        "--augment", choices=tuple(AUGMENT), default="wide", help="mild is for the last epochs (default wide)"
    )
    p.add_argument("--epochs", type=int, default=PAPER.epochs)
    p.add_argument("--lr", type=float, default=PAPER.lr)
    p.add_argument(
        "--batch",
        type=int,
        default=PAPER.batch,
        help=f"items a step (default {PAPER.batch}, the paper's; with 4 the view is learned sooner)",
    )
    p.add_argument("--accumulate", type=int, default=1, help="parts that a batch is computed in, to save memory")
    p.add_argument("--patience", type=int, default=0, help="stop after so many epochs without a better Dice")
    p.add_argument("--cosine", action="store_true", help="cosine learning rate instead of decay on a plateau of Dice")
    p.add_argument("--mixed-precision", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--workers", type=int, default=1, help="processes that prepare items (default 1)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True, help="folder for checkpoints; an existing one is resumed")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    read = partial(open_clips, length=args.clip_frames)
    config = replace(
        PAPER,
        seed=args.seed,
        epochs=args.epochs,
        lr=args.lr,
        batch=args.batch,
        accumulate=args.accumulate,
        patience=args.patience,
        workers=args.workers,
        mixed_precision=args.mixed_precision,
        plateau=0 if args.cosine else PAPER.plateau,
    )
    facts = {
        "net": args.net,
        "without": args.without,
        "size": args.size,
        "classes": list(CLASSES[: args.classes]),
        "data": args.data,
        "augment": args.augment,
        "init": "T" if args.init_from else "random",
    }

    def train(training: Sequence[Clip], validation: Sequence[Clip], folder: Path) -> Path:
        print(f"{len(training)} training and {len(validation)} validation clips", file=sys.stderr)
        torch.manual_seed(args.seed)
        net = build_net(facts)
        initialise(net, facts["init"], args.init_from)
        return train_clips(
            facts,
            training,
            validation,
            config,
            folder,
            net,
            AUGMENT[args.augment],
            args.length,
            args.window,
            args.steady,
        )

    if not args.folds:
        print(train(*read_sides(args.data, args.valid, args.exclude, args.seed, read), args.out))
        return 0
    if args.valid:
        raise DataError("--folds holds each patient out once; leave --valid away")
    clips = [clip for place in args.data for clip in read(place)]
    rows = []
    for number, held_out in enumerate(fold_patients((clip.patient for clip in clips), args.folds, args.seed)):
        best = train(*split_samples(clips, held_out), args.out / f"fold-{number}")
        rows.append(max(load_checkpoint(best)[1]["history"], key=lambda row: row["mean"]))
    print(json.dumps(cross_validated(rows), indent=2))
    return 0


def cross_validated(rows: Sequence[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over the folds of each figure of their best epochs."""
    names = [name for name in rows[0] if name not in ("epoch", "loss", "seconds")]
    values = {name: np.array([row[name] for row in rows]) for name in names}
    return {name: {"mean": float(v.mean()), "sd": float(v.std(ddof=1))} for name, v in values.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
