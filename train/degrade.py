"""Regional degradation of known severity, injected into real frames: the labels of the first quality net.

Experts' regional labels are not public. What stands in: a region's own contrast against the cavity gives its score
before, a drawn severity takes it from there towards 1 ("not visible"). The model card says so.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import resample
from edge.regions import LV, NotMeasurable, find_regions
from edge.sector import find_sector
from train.data.sample import Sample

Image = NDArray[np.uint8]
Rng = np.random.Generator

WORST, BEST = 1.0, 5.0
GCNR_POOR, GCNR_GOOD = 0.25, 0.85
SCORE_POOR = 2.5
"""Score of an undegraded region at GCNR_POOR and below; BEST at GCNR_GOOD and above, linear between."""
P_DEGRADE = 0.5


def gcnr(region: NDArray[np.uint8], background: NDArray[np.uint8]) -> float:
    """Generalised contrast-to-noise ratio: 1 - overlap of the two grey-level densities (Rodriguez-Molares 2020).

    The regional-quality paper prints half the overlap sum; with densities that sum to one its source's definition is this.
    """
    densities = [np.bincount(v >> 2, minlength=64) / max(1, v.size) for v in (region, background)]
    return 1.0 - float(np.minimum(*densities).sum())


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
) -> tuple[Image, NDArray[np.float32], NDArray[np.float32]] | None:
    """(degraded image, 8 scores 1-5, 8 severities 0-1), NaN for regions outside the sector; None where none is found.

    image and mask are square HxW uint8 of the sector crop; severities are 0 with probability 1 - p_degrade.
    """
    regions = find_regions(mask, None, sector)
    if isinstance(regions, NotMeasurable):
        return None
    lumen = image[mask == LV]
    scores = np.full(8, np.nan, np.float32)
    severities = np.full(8, np.nan, np.float32)
    echo = image.astype(np.float32)
    size = image.shape[0]
    for index in np.flatnonzero(regions.included):
        area = regions.labels == index + 1
        if not area.any():
            continue
        contrast = (gcnr(image[area], lumen) - GCNR_POOR) / (GCNR_GOOD - GCNR_POOR)
        before = SCORE_POOR + (BEST - SCORE_POOR) * float(np.clip(contrast, 0, 1))
        severity = float(rng.uniform(0, 1)) if rng.random() < p_degrade else 0.0
        scores[index] = WORST + (before - WORST) * (1 - severity)
        severities[index] = severity
        if severity:
            reach = int(size * rng.uniform(0.015, 0.05)) | 1
            soft = cv2.dilate(area.astype(np.float32), np.ones((reach, reach)))
            soft = cv2.GaussianBlur(soft, (0, 0), size * rng.uniform(0.015, 0.035))
            echo += soft * severity * (_veil(echo, lumen, size, rng) - echo)
    echo[~sector] = image[~sector]
    return np.clip(echo, 0, 255).astype(np.uint8), scores, severities


def _veil(echo: NDArray[np.float32], lumen: NDArray[np.uint8], size: int, rng: Rng) -> NDArray[np.float32]:
    """What hides a wall: dropout to the cavity's grey, a dark shadow, or bright haze, under the image's own speckle.

    Speckle is multiplicative: the frame over its local mean keeps the texture and loses the anatomy.
    """
    cavity = float(lumen.mean())
    level = (cavity, cavity * rng.uniform(0, 0.5), cavity + rng.uniform(15, 80))[rng.integers(3)]
    speckle = echo / (cv2.GaussianBlur(echo, (0, 0), size * rng.uniform(0.006, 0.012)) + 4)
    return np.asarray(level * np.clip(speckle, 0, 2.5), np.float32)
