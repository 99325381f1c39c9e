"""Classical image quality of wall regions: intensity, CR, CNR, gCNR against the cavity (regional-quality paper,
2.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edge.postprocess import LV

Image = NDArray[np.uint8]
MEAN_GREY, SD_GREY = 127.0, 32.0
METRICS = ("intensity", "CR", "CNR", "gCNR")
BIN_GREYS = 4
"""Grey levels a bin of the densities that gCNR compares: a region has too few pixels for 256 bins."""


def match_histogram(image: Image, inside: NDArray[np.bool_]) -> Image:
    """Grey levels moved, in their order, so that those inside (HxW bool, the sector) are distributed as N(127, 32).

    Each level goes to the normal quantile of its mid-rank, so equal pixels stay equal. Outside stays 0.
    """
    counts = np.bincount(image[inside], minlength=256).astype(np.float64)
    if not counts.any():
        return np.zeros_like(image)
    rank = (np.cumsum(counts) - counts / 2) / counts.sum()
    normal = NormalDist(MEAN_GREY, SD_GREY)
    levels = [normal.inv_cdf(float(np.clip(r, 1e-9, 1 - 1e-9))) for r in rank]
    lookup = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    return np.where(inside, lookup[image], 0).astype(np.uint8)


def contrast_ratio(region: Image, background: Image) -> float:
    """Mean of the region over mean of the background; infinite for a black background."""
    below = float(background.mean())
    return float(region.mean()) / below if below else float("inf")


def cnr(region: Image, background: Image) -> float:
    """Difference of means over the root of summed variances; 0 where both are uniform and equal."""
    difference = float(region.mean()) - float(background.mean())
    spread = float(np.hypot(region.std(), background.std()))
    if spread:
        return difference / spread
    return 0.0 if not difference else float(np.copysign(np.inf, difference))


def gcnr(region: Image, background: Image) -> float:
    """Generalised contrast-to-noise ratio: 1 - overlap of the two grey-level densities (Rodriguez-Molares 2020).

    The regional-quality paper prints half the overlap sum; with densities that sum to one its source's definition is
    this.
    """
    densities = [np.bincount(v // BIN_GREYS, minlength=256 // BIN_GREYS) / max(1, v.size) for v in (region, background)]
    return 1.0 - float(np.minimum(*densities).sum())


def region_metrics(
    image: Image, mask: Image, labels: Image, sector: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Metric -> 8 values, NaN for regions without a pixel, after histogram matching inside the sector.

    image, mask (labels 0-3) and labels (0-8, as in `edge.heart.regions.Regions`) are HxW uint8. The background is the
    LV lumen.
    """
    matched = match_histogram(image, sector)
    lumen = matched[(mask == LV) & sector]
    found = {name: np.full(8, np.nan) for name in METRICS}
    for k in range(8):
        region = matched[labels == k + 1]
        if region.size and lumen.size:
            values = (float(region.mean()), contrast_ratio(region, lumen), cnr(region, lumen), gcnr(region, lumen))
            for name, value in zip(METRICS, values):
                found[name][k] = value
    return found


def region_means(image: NDArray[np.floating], labels: Image) -> NDArray[np.float64]:
    """Mean of an HxW image in each of the 8 regions, NaN for those without a pixel."""
    counts = np.bincount(labels.ravel(), minlength=9)[1:9]
    sums = np.bincount(labels.ravel(), image.ravel(), minlength=9)[1:9]
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True)
class LabelMap:
    """score = slope x metric + offset: the line that maps a metric to the labels 1-5 (paper, 3.2)."""

    slope: float
    offset: float

    def __call__(self, metric: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(self.slope * metric + self.offset, np.float64)


def fit_label_map(metric: NDArray[np.floating], labels: NDArray[np.floating]) -> LabelMap:
    """Least squares over the pairs that are both finite; a metric that does not vary gives the labels' mean."""
    known = np.isfinite(metric) & np.isfinite(labels)
    x, y = metric[known], labels[known]
    if not x.size or np.ptp(x) == 0:
        return LabelMap(0.0, float(y.mean()) if y.size else float("nan"))
    design = np.stack([x, np.ones_like(x)], axis=1)
    slope, offset = np.linalg.lstsq(design, y, rcond=None)[0]
    return LabelMap(float(slope), float(offset))
