"""Is a probability map honest, and does its uncertainty find the errors? Metrics on single frames.

All arrays are H x W: probability float in [0, 1], mask bool.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating]
Area = NDArray[np.bool_]
BINS = 15
BAND_SHARE = 0.03
"""Half-width of the boundary band, as a share of the picture's side: 4 px of 128."""


def boundary_band(mask: Area) -> Area:
    """Pixels within BAND_SHARE of the picture's side from the mask's border; all pixels where the mask has no
    border.
    """
    if not mask.any() or mask.all():
        return np.ones_like(mask)
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray((inside + outside) <= BAND_SHARE * mask.shape[0])


def expected_calibration_error(probability: Map, mask: Area) -> float:
    """ECE over 15 equal bins of the foreground's probability: sum of share times |mean probability - true share|.

    Takes arrays of any equal shape, so that the pixels of many frames, or of bands, can be given together.
    """
    p, y = np.ravel(probability), np.ravel(mask).astype(np.float64)
    bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    gaps = np.abs(np.bincount(bins, p, BINS) - np.bincount(bins, y, BINS))
    return float(gaps.sum() / max(1, counts.sum()))


def brier(probability: Map, mask: Area) -> float:
    """Mean square difference of probability and mask."""
    return float(np.mean((np.asarray(probability, np.float64) - mask) ** 2))


def error_auroc(uncertainty: Map, wrong: Area) -> float:
    """Chance that a wrong pixel has the higher uncertainty than a right one, ties half; NaN without pixels of both
    kinds.
    """
    values, wrong = np.ravel(uncertainty), np.ravel(wrong)
    positives, total = int(wrong.sum()), len(wrong)
    if positives in (0, total):
        return float("nan")
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][wrong].sum() - positives * (positives + 1) / 2) / (positives * (total - positives)))


def energy_distance(samples: NDArray[np.bool_], mask: Area) -> float:
    """Generalised energy distance with 1 - IoU (Kohl et al. 2018): samples K x H x W against one expert's mask."""

    def distance(a: Area, b: Area) -> float:
        union = int((a | b).sum())
        return 1 - int((a & b).sum()) / union if union else 0.0

    to_mask = np.mean([distance(s, mask) for s in samples])
    among = np.mean([distance(a, b) for a in samples for b in samples])
    return float(2 * to_mask - among)
