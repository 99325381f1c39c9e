"""Figures of a heart in words: name, value with unit, range and number of beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.heart.biplane import Biplane
from edge.heart.record import Figure, Heart

NONE = "-"


@dataclass(frozen=True)
class Kind:
    """How a figure of Heart is named and written; `of_biplane` is its name in Biplane, "" for none."""

    name: str
    unit: str
    digits: int = 0
    of_biplane: str = ""


KINDS: dict[str, Kind] = {
    "ef_percent": Kind("Ejection fraction", "%", 0, "ef_percent"),
    "edv_ml": Kind("End-diastolic volume", "ml", 0, "edv_ml"),
    "esv_ml": Kind("End-systolic volume", "ml", 0, "esv_ml"),
    "sv_ml": Kind("Stroke volume", "ml"),
    "co_l_min": Kind("Cardiac output", "l/min", 1),
    "fac_percent": Kind("Area change (FAC)", "%"),
    "strain_percent": Kind("Strain of the contour", "%", 1),
    "mapse_mm": Kind("MAPSE, both sides", "mm", 1),
    "lv_length_mm": Kind("LV length at ED", "mm"),
    "sphericity": Kind("Sphericity at ED", "", 2),
    "la_volume_ml": Kind("LA volume at ES", "ml", 0, "la_volume_ml"),
}
"""Field of Heart -> how it is written, in the order of the report."""


def value(figure: float | None, kind: Kind) -> str:
    """A number with its unit, a dash without one."""
    return NONE if figure is None else f"{figure:.{kind.digits}f} {kind.unit}".rstrip()


def spread(figure: Figure, kind: Kind) -> str:
    """Lowest and highest of the beats, "" for a single one."""
    return "" if figure.n == 1 else f"{figure.low:.{kind.digits}f} to {figure.high:.{kind.digits}f}"


def beats(count: int) -> str:
    """A number of beats in words."""
    return f"{count} beat" if count == 1 else f"{count} beats"


def rows_of(heart: Heart) -> list[tuple[str, str, str, str]]:
    """(name, median, range, number of beats) of every figure that is known, the rate last."""
    known = [(kind, figure) for field, kind in KINDS.items() if (figure := getattr(heart, field)) is not None]
    rows = [(kind.name, value(figure.median, kind), spread(figure, kind), str(figure.n)) for kind, figure in known]
    if heart.ef_interval90_percent is not None:
        rows.insert(1, ("… 90 % interval", interval(heart.ef_interval90_percent), "", ""))
    return [*rows, *([("Heart rate", *rate_of(heart), "")] if heart.rhythm else [])]


def interval(low_high: tuple[float, float] | None) -> str:
    """A 90 % interval of EF in words, "" without one."""
    return "" if low_high is None else f"{low_high[0]:.0f} to {low_high[1]:.0f} %"


def rate_of(heart: Heart) -> tuple[str, str]:
    """The heart rate and the rhythm in words; a dash where it is not known."""
    if heart.rhythm is None:
        return NONE, "less than a whole beat"
    word = {True: "irregular", False: "regular", None: ""}[heart.rhythm.is_irregular]
    return f"{heart.rhythm.rate_bpm:.0f} bpm", word


def compared(biplane: Biplane, planes: Sequence[Heart]) -> list[tuple[str, ...]]:
    """(name, of two planes, of each plane with its range) of the figures that two planes give."""
    rows = []
    for field, kind in KINDS.items():
        if not kind.of_biplane:
            continue
        figures: list[Figure | None] = [getattr(heart, field) for heart in planes]
        each = [f"{value(f.median, kind)} ({spread(f, kind) or '1 beat'})" if f else NONE for f in figures]
        rows.append((kind.name, value(getattr(biplane, kind.of_biplane), kind), *each))
    return rows
