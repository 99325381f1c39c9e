"""Train PSPNet-MK: `echoedge train segmentation`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from edge.preprocess import resample
from edge.sector import find_sector
from train.augment import AugmentSpec, augment
from train.checkpoint import load_checkpoint, weights_of
from train.data import open_data
from train.data.sample import Sample
from train.fit import FitConfig, fit
from train.losses import dice_cross_entropy
from train.nets.imagenet import load_imagenet
from train.nets.pspnet_mk import PSPNetMK, upsample

CLASSES = ("background", "LV", "myocardium", "LA")
CACHE_PX = 473
AUXILIARY_WEIGHT = 0.4


class SegmentationData(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Sector crops of samples, augmented anew each epoch: image 1 x size x size float32 in [-1, 1], mask size x size int64."""

    def __init__(self, samples: Sequence[Sample], size: int, seed: int, spec: AugmentSpec) -> None:
        self.size, self.seed, self.spec, self.epoch = size, seed, spec, 0
        self.pairs = [crop_to_sector(sample, CACHE_PX) for sample in samples]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        image, mask = augment(*self.pairs[index], self.size, rng, self.spec)
        return normalised(image), torch.from_numpy(mask).long()


def crop_to_sector(sample: Sample, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The sample's image and mask as the runtime's preprocess would crop and resize them, uint8 size x size."""
    box = find_sector([sample.image]).box
    return (
        resample(sample.image, box, size, cv2.INTER_AREA),
        resample(sample.mask, box, size, cv2.INTER_NEAREST),
    )


def normalised(image: np.ndarray) -> torch.Tensor:
    """uint8 HxW to 1 x H x W float32 in [-1, 1]; the export folds the same into the graph."""
    return torch.from_numpy(image).float()[None] / 127.5 - 1


def mean_dice(net: torch.nn.Module, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Mean Dice per foreground class at the network's own input size, without post-processing."""
    rows = []
    device = next(net.parameters()).device
    with torch.inference_mode():
        for image, mask in pairs:
            logits = net(normalised(image)[None].to(device))
            predicted = upsample(logits, mask.shape[0]).argmax(1)[0].cpu().numpy()
            rows.append(
                [
                    2 * ((predicted == c) & (mask == c)).sum() / max(1, (predicted == c).sum() + (mask == c).sum())
                    for c in (1, 2, 3)
                ]
            )
    lv, myocardium, atrium = np.mean(rows, axis=0)
    return {"lv": lv, "myo": myocardium, "la": atrium, "mean": float(np.mean(rows))}


def segmentation_loss(net: torch.nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    """Dice + cross-entropy of the main head plus 0.4 times that of the deep-supervision head."""
    image, mask = batch
    logits, auxiliary = net(image.contiguous(memory_format=torch.channels_last))
    size = mask.shape[-1]
    with torch.autocast(image.device.type, enabled=False):
        main = dice_cross_entropy(upsample(logits.float(), size), mask)
        aux = dice_cross_entropy(upsample(auxiliary.float(), size), mask)
    return main + AUXILIARY_WEIGHT * aux


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train segmentation",
        description="Train PSPNet-MK (background, LV, myocardium, left atrium).",
        epilog="example: echoedge train segmentation --data camus:/data/camus --valid split_valid.txt --out runs/seg",
    )
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER, may be repeated: camus:… or folder:…")
    p.add_argument("--valid", type=Path, required=True, help="file of patient names kept for validation, one a line")
    p.add_argument("--exclude", type=Path, help="file of further patient names never to train on")
    p.add_argument("--size", type=int, default=473, help="input size in px (default 473)")
    p.add_argument("--epochs", type=int, default=30)
    p.add_argument("--lr", type=float, default=FitConfig.lr)
    p.add_argument("--optimizer", choices=("adamw", "sgd"), default="adamw")
    p.add_argument("--imagenet", type=Path, help=".npz of MobileNetV2 ImageNet weights to start from")
    p.add_argument("--init", type=Path, help="checkpoint to start from instead")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True, help="folder for checkpoints; an existing one is resumed")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    torch.manual_seed(args.seed)
    held_out = set(args.valid.read_text().split())
    excluded = set(args.exclude.read_text().split()) if args.exclude else set()
    training, validation = [], []
    for place in args.data:
        for sample in open_data(place):
            if sample.patient in held_out:
                validation.append(sample)
            elif sample.patient not in excluded:
                training.append(sample)
    print(f"{len(training)} training and {len(validation)} validation frames", file=sys.stderr)
    net = PSPNetMK(len(CLASSES), args.size)
    if args.imagenet:
        load_imagenet(net.trunk, args.imagenet)
    if args.init:
        net.load_state_dict(weights_of(load_checkpoint(args.init)[0]))
    config = FitConfig(args.epochs, optimizer=args.optimizer, lr=args.lr, seed=args.seed)
    pairs = [crop_to_sector(s, args.size) for s in validation]
    facts: dict[str, Any] = {
        "net": "pspnet-mk", "size": args.size, "classes": list(CLASSES), "data": args.data,
        "training_frames": len(training), "validation_patients": sorted(held_out),
    }  # fmt: skip
    best = fit(
        net, SegmentationData(training, args.size, args.seed, AugmentSpec()), segmentation_loss,
        lambda model: mean_dice(model, pairs), config, args.out, "mean", facts,
    )  # fmt: skip
    print(best)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
