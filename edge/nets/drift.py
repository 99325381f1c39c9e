"""Has the scanner's picture moved away from what the networks were calibrated on? Grey levels tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge.nets.manifest import GreyLevels
from edge.preprocess import Frame, grey
from edge.screen.sector import Sector

BINS = 32
"""Bins of the histograms; each is 256 / BINS grey levels wide."""
QUANTILE = 0.99
EVERY, WINDOW = 8, 64
"""Of live frames every 8th is looked at, and the last 64 of these are judged together: ten seconds at 50 a second."""
SAMPLE_STEP = 2
"""Every other row and column has the same histogram in a quarter of the time."""
RELEASE = 0.8
"""A warning is taken back below this share of its threshold, so that it does not flicker."""


@dataclass(frozen=True)
class Drift:
    """Earth mover's distance in grey levels between live frames and a calibration set, and the largest that is no
    surprise.
    """

    distance: float
    threshold: float
    histogram: tuple[float, ...]
    """Of the live frames."""

    @property
    def has_drifted(self) -> bool:
        return self.distance > self.threshold


def histogram_of(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of the masked pixels of an HxW grey image in each of BINS bins."""
    counts = np.asarray(cv2.calcHist([image], [0], mask.view(np.uint8), [BINS], [0, 256]).reshape(-1), np.float64)
    return np.asarray(counts / max(counts.sum(), 1), np.float64)


def distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Earth mover's distance, in grey levels, of two histograms of BINS bins that sum to one."""
    return float(np.abs(np.cumsum(a - b)).sum() * (256 / BINS))


def grey_levels_of(histograms: ArrayLike, patients: Sequence[str]) -> GreyLevels:
    """What live frames are compared with: the mean of a set's histograms (frames x BINS) and its own spread.

    The threshold is the 99th percentile of the distance of one of its patients, all whose frames are taken together,
    since live frames too come from one patient. A patient in a hundred is warned of without cause.
    """
    found, names = np.asarray(histograms, np.float64), np.asarray(patients)
    centre = found.mean(0)
    own = [distance(found[names == name].mean(0), centre) for name in np.unique(names)]
    return GreyLevels(
        histogram=tuple(round(float(share), 6) for share in centre),
        threshold=round(float(np.quantile(own, QUANTILE)), 2),
    )


def drift_of(levels: GreyLevels, histograms: ArrayLike) -> Drift:
    """Distance of the mean of live histograms (frames x BINS) from a set's."""
    found = np.asarray(histograms, np.float64).mean(0)
    return Drift(distance(found, np.array(levels.histogram)), levels.threshold, tuple(found.tolist()))


class DriftWatch:
    """Looks at live frames and says when they start and cease to differ from the calibration set.

    `levels` None, as of a file that was not calibrated, never warns.
    """

    def __init__(self, levels: GreyLevels | None) -> None:
        self._levels = levels
        self._seen = 0
        self._window: deque[NDArray[np.float64]] = deque(maxlen=WINDOW)
        self.drift: Drift | None = None
        """The warning in force."""

    def look(self, frame: Frame, sector: Sector) -> Drift | None:
        """Take in a frame (HxW or HxWx3 uint8); what was found where a warning begins or ends with it."""
        self._seen += 1
        if self._levels is None or self._seen % EVERY:
            return None
        step = np.s_[::SAMPLE_STEP, ::SAMPLE_STEP]
        self._window.append(histogram_of(grey(frame[step]), np.ascontiguousarray(sector.mask[step])))
        if len(self._window) < WINDOW or self._seen % (EVERY * 8):
            return None
        found = drift_of(self._levels, list(self._window))
        if self.drift is None and found.has_drifted:
            self.drift = found
            return found
        if self.drift is not None and found.distance < RELEASE * found.threshold:
            self.drift = None
            return found
        return None
