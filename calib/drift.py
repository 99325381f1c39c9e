"""Has the scanner's picture moved away from what the model was calibrated on? A distance of grey-level histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.choose import CalibrationSet
from calib.frames import BINS, Frame

QUANTILE = 0.99


@dataclass(frozen=True)
class Drift:
    """Earth mover's distance in grey levels between live frames and a set, and the largest that is no surprise."""

    distance: float
    threshold: float
    frames: int

    @property
    def has_drifted(self) -> bool:
        return self.distance > self.threshold


def distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Earth mover's distance, in grey levels, of two histograms of BINS bins that sum to one."""
    return float(np.abs(np.cumsum(a - b)).sum() * (256 / BINS))


def drift_of(chosen: CalibrationSet, live: Sequence[Frame]) -> Drift:
    """Distance of the live frames' mean histogram from the set's.

    The threshold is the set's own spread: the 99th percentile of the distance of one of its patients, all whose frames
    are taken together, since live frames too come from one patient. A patient in a hundred is warned of without cause.
    """
    histograms = np.array([frame.histogram for frame in chosen.frames])
    patients = np.array([frame.patient for frame in chosen.frames])
    centre = histograms.mean(0)
    own = [distance(histograms[patients == name].mean(0), centre) for name in np.unique(patients)]
    found = np.array([frame.histogram for frame in live]).mean(0)
    return Drift(distance(found, centre), float(np.quantile(own, QUANTILE)), len(live))
