"""Segmentation metrics: Dice, Hausdorff distances, mean absolute distance, IoU, bootstrap intervals."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Area = NDArray[np.bool_]


def dice(a: Area, b: Area) -> float:
    """2 |A and B| / (|A| + |B|), PSPNet-MK paper equation (1); 1 where both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def iou(a: Area, b: Area) -> float:
    """|A and B| / |A or B|; 1 where both are empty."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def surface_distances(a: Area, b: Area, spacing_mm: float) -> NDArray[np.float64] | None:
    """Distances in mm from each border pixel of A to the border of B and back; None where one is empty. Square
    pixels.
    """
    borders = [_border(area) for area in (a, b)]
    if not all(border.any() for border in borders):
        return None
    maps = [cv2.distanceTransform((~border).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for border in borders]
    return np.concatenate([maps[1][borders[0]], maps[0][borders[1]]]).astype(np.float64) * spacing_mm


def distances_summary(distances: NDArray[np.float64] | None) -> dict[str, float]:
    """hd (equations 2-3: the largest), hd95 (95th percentile of both directions together), mad (mean); NaN without."""
    if distances is None:
        return {"hd": np.nan, "hd95": np.nan, "mad": np.nan}
    return {
        "hd": float(distances.max()),
        "hd95": float(np.percentile(distances, 95)),
        "mad": float(distances.mean()),
    }


def _border(area: Area) -> Area:
    inner = cv2.erode(area.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    return np.asarray(area & (inner == 0), np.bool_)


def mean_known(values: NDArray[np.float64]) -> float:
    """Mean without NaN; NaN where nothing else is there."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def flicker(found: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    """Mean |change of the found area - change of the true area| from frame to frame, as a share of the mean true area.

    1-D arrays of one clip's areas. 0 for a contour that moves just as the true one does, also where it is off by a
    constant; one that lags behind pays for it. NaN for a single frame.
    """
    if len(true) < 2:
        return float("nan")
    return float(np.abs(np.diff(found) - np.diff(true)).mean() / np.mean(true))


def bootstrap_interval(
    values: NDArray[np.floating], groups: NDArray[np.str_], draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the mean, drawing whole groups (patients) with replacement; NaN values are left out."""
    known = ~np.isnan(values)
    names, index = np.unique(groups[known], return_inverse=True)
    if not len(names):
        return (np.nan, np.nan)
    sums = np.bincount(index, values[known], len(names))
    counts = np.bincount(index, minlength=len(names))
    drawn = np.random.default_rng(seed).integers(0, len(names), (draws, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Rank correlation of two 1-D arrays, ties given their mean rank."""
    ranks = []
    for values in (a, b):
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(counts) - (counts - 1) / 2)[inverse])
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
