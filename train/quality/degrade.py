"""Regional degradation of known amount, injected into real frames: labels where no expert gave any.

The grey picture is taken back to echo power. In a drawn region the wall's signal is attenuated, clutter is added, or
both, by an amount in dB that is known. Score = 1 + visible share x (score before - 1) x (1 - loss / range): the range
is what it takes until the wall lies 3 dB below what covers it, the level that the synthetic frames call "not visible"
too. The score before is not known in a real frame: it is estimated from the region's contrast.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.regions import NotMeasurable, find_regions
from edge.postprocess import LV
from edge.preprocess import resample
from edge.screen.sector import find_sector
from edge.synth.truth import SCR_DB
from train.data.sample import Sample

Image = NDArray[np.uint8]
Field = NDArray[np.float32]
Rng = np.random.Generator

DYNAMIC_RANGE_DB = 60.0
"""Of the grey picture, black to white: scanners show 45 to 70 dB, and CAMUS does not say."""
SCORE_PER_GREY, SCORE_AT_ZERO = 0.032, 2.3
"""Score before degradation = SCORE_AT_ZERO + SCORE_PER_GREY x (mean grey of the region - mean grey of the cavity),
within 1-5: the least-squares line of exact scores on synthetic frames (tests/train/quality/test_degrade.py fits it
again)."""
P_DEGRADE = 0.5
HIDDEN_DB = -SCR_DB[0]
"""How far below what covers it a wall is not visible any more."""
LEAST_CONTRAST_DB = 3.0


class Degraded(NamedTuple):
    """image HxW uint8; 8 scores 1-5 and 8 losses of signal-to-clutter ratio in dB, NaN for regions outside the sector;
    labels HxW uint8, the regions as in `edge.heart.regions.Regions`."""

    image: Image
    scores: NDArray[np.float32]
    loss_db: NDArray[np.float32]
    labels: Image


def sector_crop(sample: Sample, size: int) -> tuple[Image, NDArray[np.uint8], NDArray[np.bool_]]:
    """Image, mask and sector of a sample as the runtime crops them, size x size."""
    sector = find_sector([sample.image])
    return (
        resample(sample.image, sector.box, size, cv2.INTER_AREA),
        resample(sample.mask, sector.box, size, cv2.INTER_NEAREST_EXACT),
        resample(sector.mask.astype(np.uint8), sector.box, size, cv2.INTER_NEAREST_EXACT) > 0,
    )


def degrade_regions(
    image: Image, mask: Image, sector: NDArray[np.bool_], rng: Rng, p_degrade: float = P_DEGRADE
) -> Degraded | None:
    """Degrade each region of a sector crop (square HxW uint8) with probability `p_degrade`; None where no regions are
    found.

    A region that is more than half outside the sector is left out. What spills over from a degraded neighbour counts.
    """
    regions = find_regions(mask, None, sector)
    cavity = image[(mask == LV) & sector]
    if isinstance(regions, NotMeasurable) or not cavity.size:
        return None
    size = image.shape[0]
    echo = POWER[image]
    level = float(POWER[cavity].mean())
    attenuation, fill, haze = (np.zeros((size, size), np.float32) for _ in range(3))
    areas: dict[int, NDArray[np.bool_]] = {}
    before, range_db = np.full(8, np.nan), np.full(8, np.nan)
    for index in map(int, np.flatnonzero(regions.included)):
        area = areas[index] = regions.labels == index + 1
        contrast = float(image[area].mean()) - float(cavity.mean())
        before[index] = np.clip(SCORE_AT_ZERO + SCORE_PER_GREY * contrast, 1, 5)
        contrast_db = 10 * np.log10(float(echo[area].mean()) / level)
        range_db[index] = max(contrast_db, LEAST_CONTRAST_DB) + HIDDEN_DB
        if rng.random() >= p_degrade:
            continue
        drawn_db = rng.uniform(0, range_db[index])
        dropout = (1.0, 0.0, rng.uniform(0, 1))[
            rng.integers(3)
        ]  # all of it lost signal, all of it haze, or some of both
        soft = _around(area, rng)
        attenuation += soft * np.float32(dropout * drawn_db)
        shade = rng.uniform(0.1, 1)  # a shadow is darker than the cavity
        fill += soft * np.float32(level * shade * (1 - 10 ** (-dropout * drawn_db / 10)))
        haze += soft * np.float32(level * (10 ** ((1 - dropout) * drawn_db / 10) - 1))
    kept = echo * 10 ** (-attenuation / 10)
    scores, loss_db = np.full(8, np.nan, np.float32), np.full(8, np.nan, np.float32)
    for index, area in areas.items():
        loss_db[index] = 10 * np.log10(echo[area].mean() / kept[area].mean() * (1 + haze[area].mean() / level))
        left = np.clip(1 - loss_db[index] / range_db[index], 0, 1)
        scores[index] = 1 + regions.visible[index] * (before[index] - 1) * left
    if not attenuation.any() and not haze.any():
        return Degraded(image, scores, loss_db, regions.labels)
    grey = grey_from_power(kept + (fill + haze) * _speckle(echo, sector, rng))
    return Degraded(np.where(sector, grey, image), scores, loss_db, regions.labels)


POWER = (10 ** ((np.arange(256, dtype=np.float32) / 255 - 1) * DYNAMIC_RANGE_DB / 10)).astype(np.float32)
"""Echo power of each grey level, 1 at white."""


def grey_from_power(power: Field) -> Image:
    """The inverse of POWER, clipped to 0-255."""
    decibels = 10 * np.log10(np.maximum(power, np.float32(1e-12)))
    return np.asarray(np.clip(255 * (1 + decibels / DYNAMIC_RANGE_DB) + 0.5, 0, 255), np.uint8)


def _around(area: NDArray[np.bool_], rng: Rng) -> Field:
    """1 in the area, falling softly to 0 beyond it, float32."""
    size = area.shape[0]
    reach = int(size * rng.uniform(0.015, 0.05)) | 1
    wide = cv2.dilate(area.astype(np.float32), np.ones((reach, reach)))
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), size * rng.uniform(0.015, 0.035)), np.float32)


def _speckle(echo: Field, sector: NDArray[np.bool_], rng: Rng) -> Field:
    """The frame's own speckle, of mean about 1: power over the local mean, mirrored so that no anatomy stays."""
    width = echo.shape[0] * rng.uniform(0.008, 0.015)
    inside = sector.astype(np.float32)
    local = cv2.GaussianBlur(echo * inside, (0, 0), width) / (
        cv2.GaussianBlur(inside, (0, 0), width) + np.float32(1e-3)
    )
    speckle = np.where(sector, echo / (local + np.float32(1e-7)), np.float32(1))
    return np.asarray(np.clip(np.roll(speckle[:, ::-1], rng.integers(-4, 5, 2), (0, 1)), 0, 6), np.float32)
