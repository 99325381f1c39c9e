"""How far EF may be off: a 90 % interval from how well the wall was seen at ED and at ES.

Fitted by normalised conformal prediction (Lei et al. 2018, section 5.2) on patients that no network was trained on; its
constants stand in `edge/heart/fitted.py`. Of what is known of a beat at the bedside, quality follows the error of EF
best; where it is low the interval is wide, and below a limit EF is not given at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9
WELL_SEEN, PER_LEVEL = 3.6, 1.0
"""The interval is PER_LEVEL wider for each level that the wall is seen worse than WELL_SEEN: set, not fitted."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """`half_percent`: half the interval's width in points of EF where the wall is well seen. `least_quality`: the
    lowest fifth of the `patients` lay below it. `coverage`: share of patients left out of a fit whose EF lay within."""

    half_percent: float
    least_quality: float
    patients: int
    coverage: float


def seen_in(scores: NDArray[np.float32], included: NDArray[np.bool_]) -> float | None:
    """The median score of the regions inside the sector (8 float32, 8 bool); None without any, or without scores."""
    seen = scores[included]
    return float(np.median(seen)) if len(seen) and np.isfinite(seen).all() else None


def breadth(quality: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """By what factor an interval is wider than where the wall is well seen."""
    return np.asarray(1 + PER_LEVEL * np.maximum(0, WELL_SEEN - np.asarray(quality, np.float64)))


def interval_percent(ef: float, fit: Fit, quality: float, spread: float = 0.0) -> tuple[float, float]:
    """(low, high) around an EF in percent, within 0 to 100. `spread` is half the range of the beats: where they differ
    by more than the fit says, the interval holds them."""
    half = max(fit.half_percent * float(breadth(quality)), spread)
    return max(0.0, ef - half), min(100.0, ef + half)


def unsure(fit: Fit, quality: float) -> str:
    """Why EF is not given at this quality, "" where it is."""
    if quality >= fit.least_quality:
        return ""
    return f"EF not sure: quality {quality:.2f} at ED or ES, {fit.least_quality:.2f} needed"
