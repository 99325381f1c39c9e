"""Biplane volumes: the discs of ED and ES in A4C and in A2C, put together once both views have had a beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.heart.atrium import area_length_volume
from edge.heart.beat import Beat, quality_of
from edge.heart.fitted import BIPLANE
from edge.heart.interval import interval_percent, unsure
from edge.heart.measure import biplane_volume, ejection_fraction
from edge.heart.shape import Shape
from edge.heart.withhold import DISC_VIEWS

MAX_AXIS_DIFFERENCE = 0.1
"""The long axes of the two views should differ by no more than this (Lang et al. 2015, ASE/EACVI): the shorter one is
foreshortened then."""


@dataclass(frozen=True, kw_only=True)
class Biplane:
    """LV volumes at ED and ES and EF, from the last beats of each of the two planes; the left atrium's volume where
    both planes showed it. `warning` names a foreshortened plane, "" where none is. EF's interval and `unsure` are as
    `Heart`'s."""

    edv_ml: float
    esv_ml: float
    ef_percent: float | None
    ef_interval90_percent: tuple[float, float] | None = None
    la_volume_ml: float | None = None
    warning: str = ""
    unsure: str = ""


def biplane_of(a4c: Sequence[Beat], a2c: Sequence[Beat], is_fitted: bool = False) -> Biplane | None:
    """From the last beats of both planes, in mm; None while one of them has none. With `is_fitted` EF has an interval.

    Each plane's discs are the median over its beats; a volume's long axis is the longer of the two planes'.
    """
    if not a4c or not a2c:
        return None
    edv_ml, esv_ml = (
        _volume_ml([getattr(b, phase) for b in a4c], [getattr(b, phase) for b in a2c]) for phase in ("ed", "es")
    )
    ef, interval, doubt = ejection_fraction(edv_ml, esv_ml), None, ""
    qualities = [quality_of(beats) for beats in (a4c, a2c)] if is_fitted else []
    known = [quality for quality in qualities if quality is not None]
    if known:
        interval, doubt = interval_percent(ef, BIPLANE, min(known)), unsure(BIPLANE, min(known))
    return Biplane(
        edv_ml=edv_ml,
        esv_ml=esv_ml,
        ef_percent=None if doubt else ef,
        ef_interval90_percent=None if doubt else interval,
        unsure=doubt,
        la_volume_ml=_atrium_ml(a4c[-1].es, a2c[-1].es),
        warning=foreshortened(*(float(np.median([b.ed.length for b in beats])) for beats in (a4c, a2c))),
    )


def foreshortened(a4c_mm: float, a2c_mm: float) -> str:
    """Which plane's long axis at ED is too short beside the other's, in words; "" where they agree."""
    (shorter_mm, shorter), (longer_mm, longer) = sorted(zip((a4c_mm, a2c_mm), DISC_VIEWS))
    share = 1 - shorter_mm / longer_mm
    if share <= MAX_AXIS_DIFFERENCE:
        return ""
    return f"{shorter} foreshortened: its long axis is {100 * share:.0f} % shorter than that of {longer}"


def _volume_ml(one: Sequence[Shape], other: Sequence[Shape]) -> float:
    lengths = [float(np.median([shape.length for shape in plane])) for plane in (one, other)]
    diameters = [np.median([shape.diameters for shape in plane], axis=0) for plane in (one, other)]
    return biplane_volume(max(lengths), *diameters)


def _atrium_ml(one: Shape, other: Shape) -> float | None:
    if one.atrium is None or other.atrium is None:
        return None
    return area_length_volume(one.atrium, other.atrium, min(one.atrium.length, other.atrium.length)) / 1000
