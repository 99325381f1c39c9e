"""Train the regional quality net: `echoedge train quality`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge.errors import DataError, ModelError
from train.checkpoint import load_checkpoint, weights_of
from train.data.split import check_sides, patients_of
from train.evaluate.metrics import spearman
from train.facts import Facts, FitConfig
from train.fit import fit
from train.initialise import initialise
from train.losses import masked_mse, squared_emd
from train.nets.imagenet import load_imagenet, unfold_norms
from train.nets.mobilenet_v2 import Trunk
from train.nets.quality_net import ATTENTIONS, BACKBONES, HEADS, REGION_COUNT, QualityNet, Variant
from train.options import given, training_options
from train.quality.crops import SIZE, Crop, QualityData, Scored, area_of, open_crops, validation_set
from train.segmentation import normalised, read_sides

RECIPES = {
    "paper": FitConfig(
        epochs=500,
        batch=16,
        lr=1e-4,
        lr_end=1e-4,
        weight_decay=0.0,
        warmup_steps=0,
        ema_decay=0.0,
        clip_norm=0.0,
        mixed_precision=False,
    ),
    "modern": FitConfig(epochs=20, batch=16, lr=1e-3),
}
"""The paper's table 7 (AdamW without decay is Adam), with its augmentation alone; and one with a wider grey curve."""
STATISTICS_FRAMES = 16
PREDICT_BATCH = 16
ABLATION = "quality-ablation"
"""The net's name in checkpoints of variants, which are not exported."""


def quality_loss(net: torch.nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    """Of a batch image, scores[, area], over the included regions: MSE, or squared earth mover's distance of logits."""
    image, scores, *area = batch
    output = net(image.contiguous(memory_format=torch.channels_last), *area).float()
    with torch.autocast(image.device.type, enabled=False):
        return masked_mse(output, scores) if output.ndim == 2 else squared_emd(output, scores)


def predict_scores(net: QualityNet, frames: Sequence[Scored]) -> NDArray[np.float32]:
    """N x 8 scores of frames, as they come out of the network; an attention network is asked for each region by its
    labels.
    """
    device = next(net.parameters()).device
    found = []
    with torch.inference_mode():
        for start in range(0, len(frames), PREDICT_BATCH):
            part = frames[start : start + PREDICT_BATCH]
            images = torch.stack([normalised(f.image) for f in part]).to(device)
            if net.variant.attention == "none":
                found.append(net(images))
                continue
            columns = [
                net(images, torch.stack([area_of(f.labels, k) for f in part]).to(device)) for k in range(REGION_COUNT)
            ]
            found.append(torch.cat(columns, 1))
    return torch.cat(found).float().cpu().numpy()


def validate(net: QualityNet, frames: Sequence[Scored]) -> dict[str, float]:
    """Spearman and mean absolute error over all included regions."""
    predicted, scores = predict_scores(net, frames), np.stack([f.scores for f in frames])
    known = ~np.isnan(scores)
    return {
        "spearman": spearman(predicted[known], scores[known]),
        "mae": float(np.abs(predicted[known] - scores[known]).mean()),
    }


def train_quality(
    training: Sequence[Crop],
    validation: Sequence[Crop],
    variant: Variant,
    config: FitConfig,
    folder: Path,
    wide: bool = True,
    imagenet: Path | None = None,
    data: Sequence[str] = (),
    recipe_name: str = "",
    start: Path | None = None,
    frozen: int = 0,
) -> Path:
    """Train a variant into `folder`, resuming what is there; return the best checkpoint's path.

    imagenet is an .npz of MobileNetV2; start is a checkpoint of the same variant, whose first `frozen` stages stay as
    they are. Raises DataError when a patient is on both sides, when ImageNet weights are
    given for another backbone, and for attention on frames without masks.
    """
    check_sides(training, validation)
    if variant.attention != "none" and not all(c.mask.any() for c in (*training, *validation)):
        raise DataError("attention needs the regions of every frame, and some have no mask; use --attention none")
    torch.manual_seed(config.seed)
    net = QualityNet(variant)
    if start:
        initialise(net, "T", start)
    net.freeze(frozen)
    if imagenet:
        if not isinstance(net.trunk, Trunk):
            raise DataError(f"--imagenet holds MobileNetV2; {variant.backbone} starts at random")
        load_imagenet(net.trunk, imagenet)
        unfold_norms(net, net.trunk, torch.stack([normalised(c.image) for c in training[:STATISTICS_FRAMES]]))
    frames = validation_set(validation, config.seed)
    facts = Facts(
        net="quality" if variant == Variant() else ABLATION,
        variant=variant,
        size=SIZE,
        training_frames=len(training),
        validation_patients=patients_of(validation),
        labels={
            "injected regional degradation": sum(c.scores is None for c in training),
            "known scores": sum(c.scores is not None for c in training),
        },
        data=tuple(data),
        recipe=recipe_name,
        init=f"T, {frozen} stages frozen" if start else "",
    )
    crops = QualityData(training, config.seed, wide, variant.attention != "none")

    def watched(model: torch.nn.Module) -> dict[str, float]:
        assert isinstance(model, QualityNet)
        return validate(model, frames)

    return fit(net, crops, quality_loss, watched, config, folder, "spearman", facts)


def load_quality(path: Path) -> QualityNet:
    """The averaged network of a checkpoint, in evaluation mode. Raises ModelError for a checkpoint of another kind."""
    tensors, facts = load_checkpoint(path)
    if facts.net not in ("quality", ABLATION):
        raise ModelError(f"{path} holds the net '{facts.net}'; give one that `echoedge train quality` wrote")
    net = QualityNet(facts.variant)
    net.load_state_dict(weights_of(tensors))
    return net.eval()


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train quality",
        description="Train the eight-region quality net: on frames whose scores are known (synth, experts), and on "
        "annotated frames with injected degradation (camus, folder).",
        epilog="example: echoedge train quality --data camus:/data/camus --data synth:400@0 --valid split_valid.txt "
        "--imagenet mobilenet_v2.npz --out runs/quality",
        parents=[training_options("camus, folder, synth, experts")],
    )
    p.add_argument("--backbone", choices=tuple(BACKBONES), default=Variant.backbone)
    p.add_argument("--head", choices=HEADS, default=Variant.head, help="MSE, or squared earth mover's distance")
    p.add_argument(
        "--attention", choices=ATTENTIONS, default=Variant.attention, help="one region at a time, by its mask"
    )
    p.add_argument(
        "--recipe", choices=tuple(RECIPES), default="modern", help="a present-day one (default), or the paper's"
    )
    start = p.add_mutually_exclusive_group()
    start.add_argument("--imagenet", type=Path, help=".npz of MobileNetV2 ImageNet weights to start from")
    start.add_argument("--init-from", type=Path, help="checkpoint of the same variant to start from")
    p.add_argument(
        "--freeze",
        type=int,
        default=0,
        metavar="STAGES",
        help="of the checkpoint's first stages that stay as they are: 6 keeps what the view head reads",
    )
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if args.freeze and not args.init_from:
        raise DataError("--freeze keeps stages of a checkpoint; give that with --init-from")
    training, validation = read_sides(args.data, args.valid, None, args.seed, open_crops)
    print(f"{len(training)} training and {len(validation)} validation frames", file=sys.stderr)
    best = train_quality(
        training,
        validation,
        Variant(args.backbone, args.head, args.attention),
        given(args, RECIPES[args.recipe]),
        args.out,
        args.recipe != "paper",
        args.imagenet,
        args.data,
        args.recipe,
        args.init_from,
        args.freeze,
    )
    print(best)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
