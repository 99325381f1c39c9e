"""Train a segmentation network: `echoedge train segmentation`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edge.errors import DataError
from edge.preprocess import Box, resample
from edge.screen.sector import find_sector
from train.augment import AugmentSpec, augment
from train.data import open_data
from train.data.camus import read_split
from train.data.sample import BACKGROUND, EVERY, LV, MYOCARDIUM, Known, Sample, only_known
from train.data.split import Item, check_sides, draw_patients, patients_of, split_samples
from train.evaluate.metrics import dice, iou, mean_known
from train.facts import Facts
from train.fit import fit
from train.initialise import KINDS, initialise
from train.losses import SEGMENTATION_LOSSES
from train.nets import SEGMENTATION_NETS
from train.nets.pspnet_mk import upsample
from train.options import given, training_options
from train.recipes import PAPER_EPOCHS, RECIPES, Recipe

CLASSES = ("background", "LV", "myocardium", "LA")
SHORT_NAMES = ("lv", "myo", "la")
CACHE_PX = 473
AUXILIARY_WEIGHT = 0.4
STATISTICS_FRAMES = 16
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class SegmentationData(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Sector crops of samples, augmented anew each epoch: image 1 x size x size float32 in [-1, 1], mask size x size
    int64, and which classes it knows, C bool.

    Without `spec` every epoch sees the same, only resized frames. With two classes the mask is LV or not.
    """

    def __init__(
        self, samples: Iterable[Sample], size: int, seed: int, spec: AugmentSpec | None, classes: int = len(CLASSES)
    ) -> None:
        self.size, self.seed, self.spec, self.epoch = size, seed, spec, 0
        samples = list(samples)
        self.pairs = [crop_to_sector(sample, CACHE_PX if spec else size, classes) for sample in samples]
        self.known = [known_flags(sample.known, classes) for sample in samples]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        image, mask = self.pairs[index]
        if self.spec:
            rng = np.random.default_rng([self.seed, self.epoch, index])
            image, mask = augment(image, mask, self.size, rng, self.spec)
        return normalised(image), torch.from_numpy(mask).long(), self.known[index]


def known_flags(known: Known, classes: int) -> torch.Tensor:
    """Which of `classes` a sample knows, C bool; the background always."""
    return torch.tensor([label == 0 or label in known for label in range(classes)])


def check_annotated(samples: Iterable[Sample], classes: int) -> None:
    """Raises DataError where a class that is to be learnt is annotated in none of the samples."""
    samples = list(samples)
    known = {label for sample in samples for label in sample.known}
    absent = [CLASSES[label] for label in range(1, classes) if label not in known]
    if not absent and classes > 2 and not any((sample.mask == MYOCARDIUM).any() for sample in samples):
        absent = [CLASSES[MYOCARDIUM]]
    if absent:
        raise DataError(
            f"the training data have no {' and no '.join(absent)}; add data that have, or train with --classes 2"
        )


def crop_to_sector(sample: Sample, size: int, classes: int = len(CLASSES), box: Box | None = None) -> Pair:
    """The sample's image and mask as the runtime's preprocess would crop and resize them, uint8 size x size.

    `box` is that of the recording's sector; None finds it in this frame.
    """
    box = box or find_sector([sample.image]).box
    mask = sample.mask if classes == len(CLASSES) else (sample.mask == LV).astype(np.uint8)
    return resample(sample.image, box, size, cv2.INTER_AREA), resample(mask, box, size, cv2.INTER_NEAREST_EXACT)


def normalised(image: np.ndarray) -> torch.Tensor:
    """uint8 HxW to 1 x H x W float32 in [-1, 1]; the export folds the same into the graph."""
    return torch.from_numpy(image).float()[None] / 127.5 - 1


def predict(net: torch.nn.Module, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class map HxW uint8 of a square image at the network's own size, without post-processing."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        logits = net(normalised(image)[None].to(device))
        return upsample(logits, image.shape[0]).argmax(1)[0].to(torch.uint8).cpu().numpy()


def accuracy(
    net: torch.nn.Module,
    pairs: Sequence[Pair],
    classes: int = len(CLASSES),
    known: Sequence[Known] | None = None,
) -> dict[str, float]:
    """Mean over frames: Dice of each foreground class, "mean" of those, and "miou" over all classes (equation 4).

    `known`: the classes that each frame annotates, None for all; another counts as background and has no Dice. A class
    that no frame annotates is left out.
    """
    dices, ious = [], []
    for index, (image, mask) in enumerate(pairs):
        labels = EVERY if known is None else known[index]
        predicted = only_known(predict(net, image), labels)
        dices.append([dice(predicted == c, mask == c) if c in labels else np.nan for c in range(1, classes)])
        ious += [iou(predicted == c, mask == c) for c in range(classes) if c == BACKGROUND or c in labels]
    each = {name: mean_known(column) for name, column in zip(SHORT_NAMES, np.array(dices).T)}
    return {
        **{name: value for name, value in each.items() if not np.isnan(value)},
        "mean": mean_known(np.array(dices)),
        "miou": float(np.mean(ious)),
    }


def segmentation_loss(name: str) -> Callable[[torch.nn.Module, list[torch.Tensor]], torch.Tensor]:
    """The named loss of the main head plus, where the network has deep supervision, 0.4 times that of the auxiliary
    head.

    A network returns logits N x C x h x w, or in training mode (logits, auxiliary logits); both are upsampled to the
    mask. A batch is images, masks and which classes each knows; without the last all are known.
    """
    criterion = SEGMENTATION_LOSSES[name]

    def loss(net: torch.nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        image, mask, *rest = batch
        known = rest[0] if rest else None
        output = net(image.contiguous(memory_format=torch.channels_last))
        heads = output if isinstance(output, tuple) else (output,)
        with torch.autocast(image.device.type, enabled=False):
            values = [criterion(upsample(logits.float(), mask.shape[-1]), mask, known) for logits in heads]
        return values[0] + AUXILIARY_WEIGHT * sum(values[1:], torch.zeros_like(values[0]))

    return loss


def train_segmentation(
    net_name: str,
    training: Sequence[Sample],
    validation: Sequence[Sample],
    recipe: Recipe,
    size: int,
    classes: int,
    folder: Path,
    init: tuple[str, Path | None] = ("random", None),
    data: Sequence[str] = (),
    recipe_name: str = "",
) -> Path:
    """Train a network of SEGMENTATION_NETS into `folder`, resuming what is there; return the best checkpoint's path.

    Raises DataError when a patient is on both sides, when a class is asked for that no data annotate, and for
    a size that the network cannot take.
    """
    check_sides(training, validation)
    check_annotated(training, classes)
    torch.manual_seed(recipe.fit.seed)
    try:
        net = SEGMENTATION_NETS[net_name](classes, size)
    except ValueError as error:
        raise DataError(str(error)) from error
    frames = SegmentationData(training, size, recipe.fit.seed, recipe.augment, classes)
    initialise(net, *init, torch.stack([frames[k][0] for k in range(min(len(frames), STATISTICS_FRAMES))]))
    pairs, known = [crop_to_sector(s, size, classes) for s in validation], [s.known for s in validation]
    facts = Facts(
        net=net_name,
        size=size,
        classes=CLASSES[:classes],
        init=init[0],
        training_frames=len(training),
        validation_patients=patients_of(validation),
        data=tuple(data),
        recipe=recipe_name,
    )
    return fit(
        net,
        frames,
        segmentation_loss(recipe.loss),
        lambda model: accuracy(model, pairs, classes, known),
        recipe.fit,
        folder,
        "mean",
        facts,
    )


def read_sides(
    places: Sequence[str],
    valid: str | None,
    exclude: Path | None,
    seed: int,
    read: Callable[[str], Iterable[Item]],
) -> tuple[list[Item], list[Item]]:
    """(training, validation) frames, or what else `read` makes of a data set's name.

    `valid` is a file of patients, a data set of its own, or None for a seeded tenth.
    """
    samples = [sample for place in places for sample in read(place)]
    excluded = read_split(exclude) if exclude else []
    if valid is None:
        held_out = draw_patients({s.patient for s in samples} - set(excluded), seed)
        return split_samples(samples, held_out, excluded)
    if ":" not in valid or Path(valid).is_file():
        return split_samples(samples, read_split(Path(valid)), excluded)
    training, validation = [s for s in samples if s.patient not in set(excluded)], list(read(valid))
    check_sides(training, validation)
    return training, validation


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge train segmentation",
        description="Train a segmentation network: background and LV, or background, LV, myocardium and left atrium.",
        epilog="example: echoedge train segmentation --data camus:/data/camus --valid split_valid.txt --net pspnet-mk "
        "--recipe modern --init-kind Q --init-from mobilenet_v2.npz --out runs/seg. On several processes: "
        "torchrun --nproc-per-node 2 -m train.segmentation with the same options.",
        parents=[training_options()],
    )
    p.add_argument("--exclude", type=Path, help="file of further patient names never to train on")
    p.add_argument("--net", choices=tuple(SEGMENTATION_NETS), default="pspnet-mk")
    p.add_argument(
        "--recipe", choices=tuple(RECIPES), default="paper", help="the PSPNet-MK paper's, or a present-day one"
    )
    p.add_argument("--init-kind", choices=tuple(KINDS), default="random", help="T: other echo; Q: ImageNet")
    p.add_argument("--init-from", type=Path, help="checkpoint (T) or ImageNet weights (Q) to start from")
    p.add_argument("--classes", type=int, choices=(2, 4), default=4, help="2 is LV or not, as in the paper")
    p.add_argument("--size", type=int, default=473, help="input size in px (default 473)")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    training, validation = read_sides(args.data, args.valid, args.exclude, args.seed, open_data)
    print(f"{len(training)} training and {len(validation)} validation frames", file=sys.stderr)
    recipe = RECIPES[args.recipe]
    epochs = PAPER_EPOCHS.get(args.net, recipe.fit.epochs) if args.recipe == "paper" else recipe.fit.epochs
    config = given(args, replace(recipe.fit, epochs=epochs))
    best = train_segmentation(
        args.net,
        training,
        validation,
        replace(recipe, fit=config),
        args.size,
        args.classes,
        args.out,
        (args.init_kind, args.init_from),
        args.data,
        args.recipe,
    )
    print(best)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
