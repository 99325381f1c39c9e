"""Ejection fraction from masks at ED and ES, and how well it agrees with a reference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.heart.measure import ejection_fraction, measure_ventricle
from edge.heart.regions import NotMeasurable, find_regions
from train.data.sample import Sample


@dataclass(frozen=True)
class Agreement:
    """`n` pairs: Pearson's r, mean absolute error, bias and 95 % limits of agreement of (found - reference), all in EF
    percent.

    Limits are bias -+ 1.96 standard deviations (Bland and Altman 1986). NaN where n is too small for them.
    """

    n: int
    r: float
    mae: float
    bias: float
    low: float
    high: float


def volume_ml(mask: NDArray[np.uint8], spacing_mm: tuple[float, float]) -> float | None:
    """LV volume by the single-plane method of discs, None where annulus or apex cannot be found. mask HxW, labels
    0-3.
    """
    regions = find_regions(mask, spacing_mm)
    return None if isinstance(regions, NotMeasurable) else measure_ventricle(mask, regions, spacing_mm).volume_ml


def ejection_fractions(frames: Iterable[tuple[Sample, NDArray[np.uint8]]]) -> dict[tuple[str, str], float]:
    """EF in percent by (patient, view) from masks at ED and ES; pairs where a volume is missing or zero are left
    out.
    """
    volumes: dict[tuple[str, str], dict[str, float]] = {}
    for sample, mask in frames:
        volume = volume_ml(mask, sample.spacing_mm)
        if volume:
            volumes.setdefault((sample.patient, sample.view), {})[sample.phase] = volume
    return {key: ejection_fraction(v["ED"], v["ES"]) for key, v in volumes.items() if {"ED", "ES"} <= v.keys()}


def matched(
    found: Mapping[tuple[str, str], float], reference: Mapping[str, float], view: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(found, reference) EF in percent of the patients of one view that have both, in the patients' order."""
    patients = sorted(patient for patient, seen in found if seen == view and patient in reference)
    if not patients:
        raise DataError(f"no patient has both a measured EF in {view} and a reference EF")
    return np.array([found[p, view] for p in patients]), np.array([reference[p] for p in patients])


def agreement(found: NDArray[np.float64], reference: NDArray[np.float64]) -> Agreement:
    """Agreement of two 1-D arrays of EF in percent."""
    difference = found - reference
    bias = float(difference.mean())
    spread = 1.96 * float(difference.std(ddof=1)) if len(found) > 1 else float("nan")
    varies = len(found) > 1 and np.ptp(found) > 0 and np.ptp(reference) > 0
    r = float(np.corrcoef(found, reference)[0, 1]) if varies else float("nan")
    return Agreement(len(found), r, float(np.abs(difference).mean()), bias, bias - spread, bias + spread)
