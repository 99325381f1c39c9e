"""Frames and LV masks for diffusion, with the Echo-DND paper's augmentations (section 5.2) or those of segmentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edge.preprocess import resample
from edge.screen.sector import find_sector
from train.augment import AugmentSpec, affine, look
from train.data.sample import LV, Sample
from train.segmentation import normalised

CACHED = 1.5
"""Frames are kept this much larger than the network's input, so that zooming in finds detail."""


@dataclass(frozen=True)
class MaskAugmentSpec:
    """The paper's kinds of augmentation; it gives no ranges, these are ours.

    brightness is in grey levels, contrast a factor, noise the largest standard deviation in grey levels.
    """

    p_flip: float = 0.5
    rotation_deg: float = 10.0
    scale: tuple[float, float] = (0.9, 1.1)
    brightness: float = 25.0
    contrast: tuple[float, float] = (0.8, 1.2)
    noise: float = 8.0


class MaskData(Dataset[tuple[torch.Tensor, ...]]):
    """Sector crops: image 1 x size x size float32 in [-1, 1], LV mask size x size int64; augmented anew each epoch if
    `spec`.

    soft: one probability map (uint8, 255 is 1) a sample, moved with its frame; it is yielded third, size x size
    float32.
    """

    def __init__(
        self,
        samples: Iterable[Sample],
        size: int,
        seed: int,
        spec: MaskAugmentSpec | AugmentSpec | None,
        soft: Sequence[NDArray[np.uint8]] | None = None,
    ) -> None:
        self.size, self.seed, self.spec, self.soft, self.epoch = size, seed, spec, soft, 0
        cached = round(size * CACHED) if spec else size
        self.pairs = [crop_pair(sample, cached) for sample in samples]

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        maps = list(self.pairs[index])
        if self.soft is not None:
            side = maps[0].shape[0]
            wide = cv2.resize(self.soft[index], (side, side), interpolation=cv2.INTER_LINEAR)
            maps.append(np.asarray(wide, np.uint8))
        if self.spec:
            rng = np.random.default_rng([self.seed, self.epoch, index])
            if isinstance(self.spec, MaskAugmentSpec):
                maps = augment_maps(maps, self.size, rng, self.spec)
            else:
                maps = augment_widely(maps, self.size, rng, self.spec)
        image, mask, *soft = maps
        return (
            normalised(image),
            torch.from_numpy(mask).long(),
            *(torch.from_numpy(s).float() / 255 for s in soft),
        )


def crop_pair(sample: Sample, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The sample's image and LV mask (0 or 1) as the runtime's preprocess would crop and resize them, uint8 size x
    size.

    A pixel of the mask is inside where at least half of what it covers is: OpenCV's nearest neighbour takes the corner
    of each cell instead of its middle, which at 128 px moves a border by as much as half a pixel.
    """
    box = find_sector([sample.image]).box
    covered = resample((sample.mask == LV).astype(np.uint8) * 255, box, size, cv2.INTER_AREA)
    return resample(sample.image, box, size, cv2.INTER_AREA), (covered > 127).astype(np.uint8)


def augment_maps(
    maps: Sequence[NDArray[np.uint8]], size: int, rng: np.random.Generator, spec: MaskAugmentSpec
) -> list[NDArray[np.uint8]]:
    """[image, mask, probability maps ...], all side x side uint8, to size x size: one geometry for all."""
    side = maps[0].shape[0]
    zoom = rng.uniform(*spec.scale) * size / side
    centre = (side - 1) / 2
    angle_deg = rng.uniform(-spec.rotation_deg, spec.rotation_deg)
    matrix = np.asarray(cv2.getRotationMatrix2D((centre, centre), angle_deg, zoom), np.float64)
    matrix[:, 2] += (size - 1) / 2 - centre
    if rng.random() < spec.p_flip:
        matrix[0] = -matrix[0] + (0, 0, size - 1)
    image, mask, *soft = _warped(maps, matrix, size)
    grey = image.astype(np.float32)
    grey = (grey - 127.5) * rng.uniform(*spec.contrast) + 127.5 + rng.uniform(-spec.brightness, spec.brightness)
    grey += rng.uniform(0, spec.noise) * rng.standard_normal(grey.shape, np.float32)
    return [np.clip(grey, 0, 255).astype(np.uint8), mask, *soft]


def augment_widely(
    maps: Sequence[NDArray[np.uint8]], size: int, rng: np.random.Generator, spec: AugmentSpec
) -> list[NDArray[np.uint8]]:
    """The same with the augmentations of `train.augment`."""
    image, *others = _warped(maps, affine(maps[0].shape[0], size, rng, spec), size)
    return [look(image, rng, spec), *others]


def _warped(maps: Sequence[NDArray[np.uint8]], matrix: NDArray[np.float64], size: int) -> list[NDArray[np.uint8]]:
    """[image, mask, ...] moved by a 2x3 matrix; the mask is inside where at least half of a pixel is."""
    scaled = [m * np.uint8(255) if index == 1 else m for index, m in enumerate(maps)]
    image, mask, *soft = (
        np.asarray(cv2.warpAffine(m, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8) for m in scaled
    )
    return [image, (mask > 127).astype(np.uint8), *soft]
