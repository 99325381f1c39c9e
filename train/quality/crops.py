"""Frames for regional quality: sector crops with the scores of eight regions, exact, by experts, or from injected
degradation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edge.heart.regions import NotMeasurable, find_regions
from edge.preprocess import resample
from edge.screen.sector import find_sector
from edge.synth.compression import jpeg
from train.data import open_data
from train.data.regional_quality import QualitySample, read_quality
from train.quality.degrade import degrade_regions, sector_crop
from train.segmentation import normalised

SIZE = 256
MIRRORED = (5, 4, 3, 2, 1, 0, 7, 6)
"""Index of the region that takes a region's place when the image is mirrored."""
DILATION_PX = 50
"""Of a region's mask for attention (appendix B), square."""
P_BLUR, MOST_BLUR_PX, HALF_BLUR_PX = 0.35, 9.0, 3.2
P_JPEG = 0.2
VALIDATION_STREAM = 1_000_000
EXPERTS = "experts"
"""Kind of a data set of experts' scores (`train/data/regional_quality.py`), which has no masks."""


@dataclass(frozen=True)
class Crop:
    """One frame as the runtime crops it. image, mask SIZE x SIZE uint8 (mask all 0 where none is known), sector bool.

    scores: 8 float32, NaN where excluded; None where degradation has to make them.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    sector: NDArray[np.bool_]
    scores: NDArray[np.float32] | None
    view: str
    phase: str
    patient: str
    source: str


class Scored(NamedTuple):
    """image SIZE x SIZE uint8, 8 scores float32 (NaN where excluded), labels SIZE x SIZE uint8 as in
    `edge.heart.regions.Regions`.
    """

    image: NDArray[np.uint8]
    scores: NDArray[np.float32]
    labels: NDArray[np.uint8]


def open_crops(place: str, patients: Iterable[str] | None = None) -> Iterator[Crop]:
    """Crops of `KIND:FOLDER`, KIND one of train.data's or "experts". Raises DataError as those do."""
    kind, _, folder = place.partition(":")
    if kind == EXPERTS:
        yield from map(crop_of_expert, read_quality(Path(folder), patients))
        return
    for s in open_data(place, patients):
        yield Crop(*sector_crop(s, SIZE), s.scores, s.view, s.phase, s.patient, s.source)


def crop_of_expert(sample: QualitySample) -> Crop:
    """The crop of a frame that an expert scored; it has no mask."""
    sector = find_sector([sample.image])
    image = resample(sample.image, sector.box, SIZE, cv2.INTER_AREA)
    inside = resample(sector.mask.astype(np.uint8), sector.box, SIZE, cv2.INTER_NEAREST_EXACT) > 0
    return Crop(image, np.zeros_like(image), inside, sample.scores, sample.view, "", sample.patient, sample.source)


def with_masks(crops: Sequence[Crop], segment: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> list[Crop]:
    """Crops whose missing masks are a segmenter's, as the paper has it for the classical metrics and for coherence."""
    return [c if c.mask.any() else replace(c, mask=segment(c.image)) for c in crops]


def scored(crop: Crop, rng: np.random.Generator) -> Scored | None:
    """A crop with its scores, degraded where it has none of its own; None where no regions are found to degrade."""
    if crop.scores is None:
        made = degrade_regions(crop.image, crop.mask, crop.sector, rng)
        return None if made is None else Scored(made.image, made.scores, made.labels)
    return Scored(crop.image, crop.scores, region_labels(crop))


def region_labels(crop: Crop) -> NDArray[np.uint8]:
    """The regions of a crop's mask, all 0 where none are found."""
    regions = find_regions(crop.mask, None, crop.sector)
    return np.zeros_like(crop.mask) if isinstance(regions, NotMeasurable) else regions.labels


def validation_set(crops: Sequence[Crop], seed: int) -> list[Scored]:
    """Scored crops, always the same for a seed; those without regions are left out."""
    made = (scored(c, np.random.default_rng([seed, VALIDATION_STREAM, k])) for k, c in enumerate(crops))
    return [s for s in made if s is not None]


def area_of(labels: NDArray[np.uint8], region: int) -> torch.Tensor:
    """1 x SIZE x SIZE bool: a region (index into REGIONS) and its surroundings, for attention."""
    area = cv2.dilate((labels == region + 1).astype(np.uint8), np.ones((DILATION_PX, DILATION_PX), np.uint8))
    return torch.from_numpy(area > 0)[None]


class QualityData(Dataset[tuple[torch.Tensor, ...]]):
    """Augmented crops, anew each epoch: image 1 x SIZE x SIZE float32 in [-1, 1] and 8 scores float32 with NaN where
    excluded.

    With `attention`, one region that has a score is drawn a frame: image, its score (1), its area (1 x SIZE x SIZE
    bool).
    """

    def __init__(self, crops: Sequence[Crop], seed: int, wide: bool = True, attention: bool = False) -> None:
        self.crops, self.seed, self.wide, self.attention, self.epoch = crops, seed, wide, attention, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        crop = self.crops[index]
        made = scored(crop, rng) or Scored(crop.image, np.full(8, np.nan, np.float32), np.zeros_like(crop.mask))
        image, scores, labels = augment(made, rng, self.wide)
        if not self.attention:
            return normalised(image), torch.from_numpy(scores)
        known = np.flatnonzero(~np.isnan(scores))
        region = int(rng.choice(known)) if len(known) else 0
        return normalised(image), torch.from_numpy(scores[region : region + 1]), area_of(labels, region)


def augment(frame: Scored, rng: np.random.Generator, wide: bool = True) -> Scored:
    """The paper's table 7: rotation +-30 degrees, mirroring with labels, gamma 0.9-1.1, scaling 0.85-1.15, each p =
    0.5.

    wide adds, p = 0.5, gain 0.6-1.4 and gamma 0.7-1.4, since another scanner's grey curve is no loss of quality; p =
    0.2, JPEG of quality 40-95, which is none either; and p = 0.35, a blur, which is one (`blurred_scores`).
    """
    image, scores, labels = frame
    angle = rng.uniform(-30, 30) if rng.random() < 0.5 else 0.0
    scale = rng.uniform(0.85, 1.15) if rng.random() < 0.5 else 1.0
    matrix = cv2.getRotationMatrix2D(((SIZE - 1) / 2, (SIZE - 1) / 2), angle, scale)
    image = np.asarray(cv2.warpAffine(image, matrix, (SIZE, SIZE)), np.uint8)
    labels = np.asarray(cv2.warpAffine(labels, matrix, (SIZE, SIZE), flags=cv2.INTER_NEAREST), np.uint8)
    if rng.random() < 0.5:
        image, scores = np.ascontiguousarray(image[:, ::-1]), scores[list(MIRRORED)]
        labels = np.array((0, *(k + 1 for k in MIRRORED)), np.uint8)[labels[:, ::-1]]
    gain, gamma = 1.0, rng.uniform(0.9, 1.1) if rng.random() < 0.5 else 1.0
    if wide and rng.random() < 0.5:
        gain, gamma = rng.uniform(0.6, 1.4), rng.uniform(0.7, 1.4)
    image = np.asarray(cv2.LUT(image, gamma_curve(gamma, gain)), np.uint8)
    if wide and rng.random() < P_BLUR:
        sigma_px = MOST_BLUR_PX * rng.random() ** 1.5
        image, scores = blurred(image, sigma_px), blurred_scores(scores, sigma_px)
    if wide and rng.random() < P_JPEG:
        image = jpeg(image, int(rng.integers(40, 95)))
    return Scored(image, scores, labels)


def blurred(image: NDArray[np.uint8], sigma_px: float) -> NDArray[np.uint8]:
    """A crop (SIZE x SIZE uint8) under a Gaussian of `sigma_px`."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(sigma_px, 0.01)), np.uint8)


def blurred_scores(scores: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """8 scores after a blur of `sigma_px` of a SIZE px crop: what lies above 1 falls by half at HALF_BLUR_PX.

    A choice of this project; no paper gives a law. A crop shows some 16 cm, so HALF_BLUR_PX is about 2 mm.
    """
    left = 1 / (1 + (sigma_px / HALF_BLUR_PX) ** 2)
    return np.asarray(1 + (scores - 1) * left, np.float32)


def gamma_curve(gamma: float, gain: float = 1.0) -> NDArray[np.uint8]:
    """256 grey levels 255 gain (grey / 255)^gamma, clipped, for cv2.LUT."""
    return np.clip(255 * gain * np.linspace(0, 1, 256) ** gamma, 0, 255).astype(np.uint8)
