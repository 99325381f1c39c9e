"""Train the regional quality net on injected degradation: `echoedge train quality`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from train.data import open_data
from train.data.camus import read_split
from train.data.sample import Sample
from train.data.split import split_samples
from train.degrade import degrade_regions, sector_crop
from train.fit import FitConfig, fit
from train.losses import masked_mse
from train.metrics import spearman
from train.nets.imagenet import load_imagenet, unfold_norms
from train.nets.quality_net import QualityNet
from train.segmentation import normalised

SIZE = 256
MIRRORED = (5, 4, 3, 2, 1, 0, 7, 6)
"""Index of the region that takes a region's place when the image is mirrored."""


class QualityData(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Degraded, augmented sector crops: image 1 x 256 x 256 float32 in [-1, 1], 8 scores float32 with NaN where excluded."""

    def __init__(self, samples: Sequence[Sample], seed: int) -> None:
        self.seed, self.epoch = seed, 0
        self.crops = [sector_crop(sample, SIZE) for sample in samples]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        image, mask, sector = self.crops[index]
        degraded = degrade_regions(image, mask, sector, rng)
        if degraded is None:
            return normalised(image), torch.full((8,), torch.nan)
        image, scores = augment(degraded[0], degraded[1], rng)
        return normalised(image), torch.from_numpy(scores)


def augment(
    image: NDArray[np.uint8], scores: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The paper's table 7: rotation +-30 degrees, mirroring with labels, gamma 0.9-1.1, scaling 0.85-1.15, each p = 0.5.

    Added to it, p = 0.5: gain 0.6-1.4 and gamma 0.7-1.4, since another scanner's grey curve is no loss of quality.
    """
    angle = rng.uniform(-30, 30) if rng.random() < 0.5 else 0.0
    scale = rng.uniform(0.85, 1.15) if rng.random() < 0.5 else 1.0
    matrix = cv2.getRotationMatrix2D(((SIZE - 1) / 2, (SIZE - 1) / 2), angle, scale)
    image = cv2.warpAffine(image, matrix, (SIZE, SIZE))
    if rng.random() < 0.5:
        image, scores = np.ascontiguousarray(image[:, ::-1]), scores[list(MIRRORED)]
    gain, gamma = 1.0, rng.uniform(0.9, 1.1) if rng.random() < 0.5 else 1.0
    if rng.random() < 0.5:
        gain, gamma = rng.uniform(0.6, 1.4), rng.uniform(0.7, 1.4)
    curve = np.clip(255 * gain * np.linspace(0, 1, 256) ** gamma, 0, 255).astype(np.uint8)
    return cv2.LUT(image, curve), scores


def quality_loss(net: torch.nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    """Mean squared error over the included regions."""
    image, scores = batch
    predicted = net(image.contiguous(memory_format=torch.channels_last))
    return masked_mse(predicted.float(), scores)


def validation_set(samples: Sequence[Sample], seed: int) -> tuple[torch.Tensor, NDArray[np.float32]]:
    """Fixed degraded crops of held-out samples and their scores (N x 8, NaN where excluded)."""
    images, scores = [], []
    for index, sample in enumerate(samples):
        made = degrade_regions(*sector_crop(sample, SIZE), np.random.default_rng([seed, 1_000_000, index]))
        if made is not None:
            images.append(normalised(made[0]))
            scores.append(made[1])
    return torch.stack(images), np.stack(scores)


def validate(net: torch.nn.Module, images: torch.Tensor, scores: NDArray[np.float32]) -> dict[str, float]:
    """Spearman and mean absolute error over all included regions."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        predicted = torch.cat([net(part.to(device)).cpu() for part in images.split(16)]).numpy()
    known = ~np.isnan(scores)
    return {
        "spearman": spearman(predicted[known], scores[known]),
        "mae": float(np.abs(predicted[known] - scores[known]).mean()),
    }


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train quality",
        description="Train the eight-region quality net on degradation injected into annotated frames.",
        epilog="example: echoedge train quality --data camus:/data/camus --valid split_valid.txt --out runs/quality",
    )
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER, may be repeated: camus:… or folder:…")
    p.add_argument("--valid", type=Path, required=True, help="file of patient names kept for validation, one a line")
    p.add_argument("--epochs", type=int, default=20)
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--imagenet", type=Path, help=".npz of MobileNetV2 ImageNet weights to start from")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True, help="folder for checkpoints; an existing one is resumed")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    torch.manual_seed(args.seed)
    held_out = read_split(args.valid)
    training, validation = split_samples((sample for place in args.data for sample in open_data(place)), held_out)
    print(f"{len(training)} training and {len(validation)} validation frames", file=sys.stderr)
    images, scores = validation_set(validation, args.seed)
    net = QualityNet()
    if args.imagenet:
        load_imagenet(net.trunk, args.imagenet)
        first = [normalised(sector_crop(s, SIZE)[0]) for s in training[:16]]
        unfold_norms(net, net.trunk, torch.stack(first))
    facts = {
        "net": "quality", "size": SIZE, "data": args.data, "training_frames": len(training),
        "validation_patients": sorted(held_out), "labels": "injected regional degradation",
    }  # fmt: skip
    best = fit(
        net, QualityData(training, args.seed), quality_loss, lambda model: validate(model, images, scores),
        FitConfig(args.epochs, batch=16, lr=args.lr, seed=args.seed), args.out, "spearman", facts,
    )  # fmt: skip
    print(best)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
