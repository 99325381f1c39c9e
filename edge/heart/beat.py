"""One beat: ED and the ES that follows it, and what the pair of shapes gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.heart.annulus import plane_excursion
from edge.heart.atrium import Atrium, disc_volume
from edge.heart.measure import ejection_fraction, fractional_area_change
from edge.heart.plausible import implausible
from edge.heart.shape import Shape
from edge.heart.strain import longitudinal_strain
from edge.heart.turn import fit_turn, value_at_turn

Array = NDArray[np.float64]

MIN_FIT = 4
"""Fewer shapes than this around a mark are averaged by their median."""


@dataclass(frozen=True, kw_only=True)
class Beat:
    """The LV at ED and at the following ES in one view, each fitted to the frames around it.

    `quality` is that of the worse of both (`seen_in`), None where it is not known. `borrows_ed`: ED is the one after
    ES, since the recording began too late for its own; such a beat stands only until there is a whole one.
    """

    view: str
    ed_frame: int
    es_frame: int
    ed: Shape
    es: Shape
    quality: float | None = None
    borrows_ed: bool = False

    @property
    def in_mm(self) -> bool:
        return self.ed.in_mm and self.es.in_mm

    @property
    def ef_percent(self) -> float:
        """Of one plane; means nothing in a view that has no discs."""
        return ejection_fraction(self.ed.volume, self.es.volume)

    @property
    def fac_percent(self) -> float:
        return fractional_area_change(self.ed.area, self.es.area)

    @property
    def strain_percent(self) -> float:
        return longitudinal_strain(self.ed.border, self.es.border)

    @property
    def mapse(self) -> tuple[float, float]:
        """(left, right) in the shapes' unit."""
        return plane_excursion(self.ed.annulus, self.ed.apex, self.es.annulus)

    @property
    def atrial_volume(self) -> float | None:
        """At ES, by discs in this plane, in cubic units."""
        atrium = self.es.atrium
        return disc_volume(atrium, atrium, atrium.length) if atrium else None

    @property
    def impossible(self) -> str:
        """Why ED and ES cannot be a heart's, "" where they can: the scale has no part in it."""
        return implausible(EF=self.ef_percent) if self.ed.volume > 0 else "no cavity at ED"

    @property
    def impossible_in_mm(self) -> str:
        """Why the scale cannot be right, "" where it can or where none is known."""
        if not self.in_mm:
            return ""
        return implausible(LV_length=self.ed.length, EDV=self.ed.volume)


def quality_of(beats: Sequence[Beat]) -> float | None:
    """The median of the beats' qualities; None where none is known."""
    known = [beat.quality for beat in beats if beat.quality is not None]
    return float(np.median(known)) if known else None


def shape_at(shapes: Sequence[tuple[float, Shape]], moment_s: float) -> Shape:
    """The shape where the heart turns near a moment, from (time in s, shape) of the frames around it, at least one.

    It is a fit in which frames whose area lies off the others' have no weight.
    """
    times = np.array([time_s for time_s, _ in shapes])
    rows = np.stack([_row_of(shape) for _, shape in shapes])
    if len(shapes) < MIN_FIT:
        return _shape_from(np.median(rows, axis=0), shapes[0][1])
    slack_s = max(1.5 * float(np.median(np.diff(times))), 0.03)
    turn_s, weights = fit_turn(times, rows[:, 0], moment_s, slack_s)
    return _shape_from(value_at_turn(times, rows, turn_s, weights), shapes[0][1])


def _row_of(shape: Shape) -> Array:
    """Everything in a shape as one row; NaN where no atrium was seen."""
    atrium = shape.atrium
    behind = np.full(2 + len(shape.diameters), np.nan)
    if atrium is not None:
        behind = np.concatenate([[atrium.area, atrium.length], atrium.diameters])
    parts = ([shape.area, shape.length, shape.border], shape.annulus.ravel(), shape.apex, shape.diameters, behind)
    return np.concatenate(parts)


def _shape_from(row: Array, like: Shape) -> Shape:
    area, length, border = (float(value) for value in row[:3])
    count = len(like.diameters)
    behind = row[9 + count :]
    atrium = None
    if np.isfinite(behind).all():
        atrium = Atrium(area=float(behind[0]), length=float(behind[1]), diameters=np.maximum(behind[2:], 0))
    return replace(
        like,
        area=area,
        length=length,
        border=border,
        annulus=row[3:7].reshape(2, 2),
        apex=row[7:9],
        diameters=np.maximum(row[9 : 9 + count], 0),
        atrium=atrium,
    )
