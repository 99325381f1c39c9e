"""Train RAL on clips: `echoedge train ral`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from edge.errors import DataError
from train.checkpoint import load_checkpoint
from train.data.clips import Clip, open_clips
from train.data.split import fold_patients, split_samples
from train.facts import Facts
from train.initialise import initialise
from train.nets.ral import RECURRENT_NETS, Parts
from train.options import given, training_options
from train.ral.training import AUGMENT, LENGTH, PAPER, SIZE_PX, WINDOW, build_net, train_clips
from train.segmentation import CLASSES, read_sides


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train ral",
        description="Train RAL: segmentation and view of every frame, with memory over time.",
        epilog="example: echoedge train ral --data synth:400@0 --data camus:/data/camus --valid synth:20@9000 "
        "--out runs/ral",
        parents=[training_options("synth:COUNT@SEED, camus:…")],
    )
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
    p.add_argument("--cosine", action="store_true", help="cosine learning rate instead of decay on a plateau of Dice")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    read = partial(open_clips, length=args.clip_frames)
    config = given(args, replace(PAPER, plateau=0 if args.cosine else PAPER.plateau))
    facts = Facts(
        net=args.net,
        without=tuple(args.without),
        size=args.size,
        classes=CLASSES[: args.classes],
        data=tuple(args.data),
        augment=args.augment,
        init="T" if args.init_from else "random",
    )

    def train(training: Sequence[Clip], validation: Sequence[Clip], folder: Path) -> Path:
        print(f"{len(training)} training and {len(validation)} validation clips", file=sys.stderr)
        torch.manual_seed(args.seed)
        net = build_net(facts)
        initialise(net, facts.init, args.init_from)
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
        raise DataError("--folds holds each patient out once; leave out --valid")
    clips = [clip for place in args.data for clip in read(place)]
    rows = []
    for number, held_out in enumerate(fold_patients((clip.patient for clip in clips), args.folds, args.seed)):
        best = train(*split_samples(clips, held_out), args.out / f"fold-{number}")
        rows.append(max(load_checkpoint(best)[1].history, key=lambda row: row["mean"]))
    print(json.dumps(cross_validated(rows), indent=2))
    return 0


def cross_validated(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over the folds of each figure of their best epochs."""
    names = [name for name in rows[0] if name not in ("epoch", "loss", "seconds")]
    values = {name: np.array([row[name] for row in rows]) for name in names}
    return {name: {"mean": float(v.mean()), "sd": float(v.std(ddof=1))} for name, v in values.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
