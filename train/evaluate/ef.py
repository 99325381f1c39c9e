"""Ejection fraction from masks at ED and ES, and how well it agrees with a reference of the same formula."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.heart.measure import biplane_volume, disc_diameters, ejection_fraction
from edge.heart.regions import NotMeasurable, find_regions
from edge.heart.withhold import DISC_VIEWS
from train.data.camus import ReferenceEf
from train.data.sample import Sample

EXPERTS = "experts' masks"
DRAWS = 2000
FAR_PERCENT = 15.0
"""An EF further off than this would change what is done for a patient."""


class Discs(NamedTuple):
    """One frame's LV by the method of discs: long axis in mm, diameters in mm."""

    length_mm: float
    diameters_mm: NDArray[np.float64]


Planes = Mapping[tuple[str, str, str], Discs]
"""By patient, view and phase."""


class Pair(NamedTuple):
    """Values of the same patients, in the same order, and what `reference` is."""

    found: NDArray[np.float64]
    reference: NDArray[np.float64]
    against: str


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """`n` pairs: Pearson's r, mean absolute error, bias and 95 % limits of agreement of (found - reference), in the
    values' unit.

    Limits are bias -+ 1.96 standard deviations (Bland and Altman 1986). `r_ci95`, `mae_ci95` and `bias_ci95` are
    percentiles of a bootstrap over patients; `far` the share of pairs further apart than FAR_PERCENT. NaN where n is
    too small.
    """

    n: int
    r: float
    mae: float
    bias: float
    low: float
    high: float
    far: float
    r_ci95: tuple[float, float]
    mae_ci95: tuple[float, float]
    bias_ci95: tuple[float, float]


def discs_of(mask: NDArray[np.uint8], spacing_mm: tuple[float, float]) -> Discs | None:
    """None where annulus or apex cannot be found. mask HxW, labels 0-3; spacing (row, column)."""
    regions = find_regions(mask, spacing_mm)
    if isinstance(regions, NotMeasurable):
        return None
    scale = np.array((spacing_mm[1], spacing_mm[0]))
    points = (regions.endocardium, np.array(regions.annulus), np.array(regions.apex))
    return Discs(*disc_diameters(*(np.asarray(p * scale, np.float64) for p in points)))


def volume_ml(mask: NDArray[np.uint8], spacing_mm: tuple[float, float]) -> float | None:
    """LV volume by the method of discs in one plane, None where annulus or apex cannot be found."""
    discs = discs_of(mask, spacing_mm)
    return None if discs is None else biplane_volume(discs.length_mm, discs.diameters_mm, discs.diameters_mm)


def measured_in(sample: Sample) -> tuple[float, float]:
    """A sample's (row, column) mm per pixel; 1 where it is not known, for ratios alone."""
    return sample.spacing_mm if np.isfinite(sample.spacing_mm).all() else (1.0, 1.0)


def planes_of(frames: Iterable[tuple[Sample, NDArray[np.uint8]]]) -> dict[tuple[str, str, str], Discs]:
    """The discs of every frame whose mask can be measured."""
    found = ((sample, discs_of(mask, measured_in(sample))) for sample, mask in frames)
    return {(s.patient, s.view, s.phase): discs for s, discs in found if discs is not None and discs.length_mm > 0}


def single_plane_ef(planes: Planes, view: str) -> dict[str, float]:
    """EF in percent by patient, from one view's ED and ES."""
    pairs = ((patient, [planes.get((patient, view, phase)) for phase in ("ED", "ES")]) for patient in _patients(planes))
    return {patient: _ef(ed, ed, es, es) for patient, (ed, es) in pairs if ed is not None and es is not None}


def biplane_ef(planes: Planes) -> dict[str, float]:
    """EF in percent by patient, from both views; each phase has its own, longer, long axis (Lang et al. 2015)."""
    return {patient: _ef(*four) for patient, four in _fours(planes).items()}


def common_height_ef(planes: Planes) -> dict[str, float]:
    """EF in percent by patient from both views, as `ReferenceEf.common_height` defines it."""
    return {
        patient: ejection_fraction(*(float((a.diameters_mm * b.diameters_mm).sum()) for a, b in (four[:2], four[2:])))
        for patient, four in _fours(planes).items()
    }


def compare_ef(
    frames: Sequence[tuple[Sample, NDArray[np.uint8]]],
    reference: ReferenceEf | None = None,
    listed: Mapping[str, float] | None = None,
) -> dict[str, Pair]:
    """What the masks give beside what the experts' (the samples' own) give by the same formula: each view, and both.

    With CAMUS's own figures, the model and the experts are also set beside those, each by that figure's formula; with
    EchoNet's `listed` ones both are set beside them in one plane. Raises DataError when no patient has ED and ES.
    """
    model, experts = planes_of(frames), planes_of((sample, sample.mask) for sample, _ in frames)
    rows: dict[str, tuple[Mapping[str, float], Mapping[str, float], str]] = {}
    for view in sorted({view for _, view, _ in experts}):
        rows[f"{view}, one plane"] = (single_plane_ef(model, view), single_plane_ef(experts, view), EXPERTS)
    rows["biplane"] = (biplane_ef(model), biplane_ef(experts), EXPERTS)
    if reference is not None:
        for name, found in (("biplane", model), ("biplane of experts' masks", experts)):
            rows[f"{name}, against LVef"] = (biplane_ef(found), reference.biplane, "LVef of Info_4CH.cfg")
        for name, found in (("one disc height", model), ("one disc height, experts' masks", experts)):
            rows[name] = (common_height_ef(found), reference.common_height, "EF of patients_info.csv")
    if listed is not None:
        for name, found in (("A4C, one plane", model), ("A4C, experts' tracings", experts)):
            rows[f"{name}, against the list"] = (single_plane_ef(found, "A4C"), listed, "EF of FileList.csv")
    pairs = {name: matched(found, true, against) for name, (found, true, against) in rows.items()}
    known = {name: pair for name, pair in pairs.items() if len(pair.found)}
    if not known:
        raise DataError("no patient has measurable masks at ED and at ES; EF needs both phases of a view")
    return known


def matched(found: Mapping[str, float], reference: Mapping[str, float], against: str = "") -> Pair:
    """The patients that have both, in their order; none where no patient has."""
    patients = sorted(found.keys() & reference.keys())
    return Pair(np.array([found[p] for p in patients]), np.array([reference[p] for p in patients]), against)


def agreement(found: NDArray[np.float64], reference: NDArray[np.float64]) -> Agreement:
    """Agreement of two 1-D arrays."""
    n, difference = len(found), found - reference
    bias = float(difference.mean())
    spread = 1.96 * float(difference.std(ddof=1)) if n > 1 else float("nan")
    draws = np.random.default_rng(0).integers(0, n, (DRAWS, n))
    return Agreement(
        n=n,
        r=float(_pearson(found[None], reference[None])[0]),
        mae=float(np.abs(difference).mean()),
        bias=bias,
        low=bias - spread,
        high=bias + spread,
        far=float((np.abs(difference) > FAR_PERCENT).mean()),
        r_ci95=_interval(_pearson(found[draws], reference[draws])),
        mae_ci95=_interval(np.abs(difference)[draws].mean(1)),
        bias_ci95=_interval(difference[draws].mean(1)),
    )


def _patients(planes: Planes) -> list[str]:
    return sorted({patient for patient, _, _ in planes})


def _fours(planes: Planes) -> dict[str, tuple[Discs, Discs, Discs, Discs]]:
    """(ED A4C, ED A2C, ES A4C, ES A2C) of the patients that have them all."""
    fours = {
        p: [planes.get((p, view, phase)) for phase in ("ED", "ES") for view in DISC_VIEWS] for p in _patients(planes)
    }
    return {p: (a, b, c, d) for p, (a, b, c, d) in fours.items() if a and b and c and d}


def _ef(ed_one: Discs, ed_other: Discs, es_one: Discs, es_other: Discs) -> float:
    volumes = [
        biplane_volume(max(one.length_mm, other.length_mm), one.diameters_mm, other.diameters_mm)
        for one, other in ((ed_one, ed_other), (es_one, es_other))
    ]
    return ejection_fraction(*volumes)


def _pearson(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's r of each row; NaN where a row does not vary."""
    a, b = (x - x.mean(1, keepdims=True) for x in (one, other))
    power = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.asarray((a * b).sum(1) / np.where(power > 0, power, np.nan))


def _interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    known = draws[np.isfinite(draws)]
    return (float(np.percentile(known, 2.5)), float(np.percentile(known, 97.5))) if len(known) else (np.nan, np.nan)
