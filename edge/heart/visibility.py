"""Which regions are seen well enough, region by region, without flicker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.heart.regions import MIN_VISIBLE, Regions
from edge.heart.steady import weight_after

CONSTANT_S = 0.2
"""On top of the scores' own smoothing."""
POOR, FAIR = 2.25, 2.75
"""A region counts as poorly seen from below POOR until above FAIR: around 2.5, where "poor" is rounded to "ok"."""
LOWEST = 1.0


class Visibility:
    """`levels` 8 scores 1-5 with a region outside the sector counted as 1, averaged over about CONSTANT_S; `poor` and
    `outside` 8 bool, each with hysteresis. NaN and False before the first scored frame."""

    def __init__(self) -> None:
        self._time_s = 0.0
        self._forget()

    def update(self, time_s: float, scores: NDArray[np.float32], regions: Regions | None) -> None:
        """Take one frame. One without regions leaves all as it was, one without scores forgets it."""
        if not np.isfinite(scores).all():
            self._forget()
            return
        if regions is None:
            return
        counted = np.where(regions.included, scores, LOWEST).astype(np.float64)
        if not self.known:
            self.levels, self._share = counted, regions.visible.copy()
            self.poor, self.outside = counted < (POOR + FAIR) / 2, ~regions.included
        else:
            weight = weight_after(time_s - self._time_s, CONSTANT_S)
            self.levels = self.levels + weight * (counted - self.levels)
            self._share = self._share + weight * (regions.visible - self._share)
            self.poor = np.where(self.poor, self.levels <= FAIR, self.levels < POOR)
            margin = np.where(self.outside, 0.1, -0.1)
            self.outside = self._share < MIN_VISIBLE + margin
        self._time_s = time_s

    @property
    def known(self) -> bool:
        """Whether a scored frame with regions was seen."""
        return bool(np.isfinite(self.levels).all())

    def _forget(self) -> None:
        self.levels = np.full(8, np.nan)
        self._share = np.zeros(8)
        self.poor = np.zeros(8, np.bool_)
        self.outside = np.zeros(8, np.bool_)
