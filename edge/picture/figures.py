"""Beside the curve: ejection fraction and heart rate large, the other measurements small, why something is withheld."""

from __future__ import annotations

import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.picture.palette import AMBER, BACKGROUND, DIM, TEXT, Canvas, Cell, text, width_of, wrapped
from edge.refine.keyframe import Held

SMALL, LARGE = 0.42, 1.5
RATE_X, ROWS_X, VALUE_X = 148, 282, 368
ROW = 20
REASON_Y, REASON_STEP = 104, 15
REASON_LINES = 3
NONE = "-"
NAMES = ("LV area", "LV length", "LV volume", "Quality", "Best ED", "Best ES")


class Figures:
    """Draws onto a region of the canvas, each group again only when it changes."""

    def __init__(self, region: Canvas) -> None:
        height = region.shape[0]
        self._ef = Cell(region[: REASON_Y - 12, :RATE_X], BACKGROUND)
        self._rate = Cell(region[: REASON_Y - 12, RATE_X:ROWS_X], BACKGROUND)
        self._reason = Cell(region[REASON_Y - 12 : height, :ROWS_X], BACKGROUND)
        self._names = Cell(region[:, ROWS_X:VALUE_X], BACKGROUND)
        self._values = [
            Cell(region[6 + ROW * row : 6 + ROW * (row + 1), VALUE_X:], BACKGROUND) for row in range(len(NAMES))
        ]
        region[:] = BACKGROUND

    def clear(self) -> None:
        """Show nothing."""
        for cell in (self._ef, self._rate, self._reason, self._names, *self._values):
            cell.changes(None)

    def draw(self, analysis: Analysis, best: Best | None, refined: Held | None) -> None:
        """One frame's figures."""
        withheld = analysis.withheld
        _large(self._ef, *_ejection_fraction(analysis, refined))
        rhythm = analysis.heart.rhythm
        rate = f"{rhythm.rate_bpm:.0f}" if rhythm else ""
        below = "waiting for a beat" if rhythm is None else "irregular" if rhythm.is_irregular else ""
        _large(self._rate, "Heart rate", rate, "bpm", below)
        reason = f"withheld: {withheld.area}" if withheld.area else f"volume withheld: {withheld.volume}"
        if self._reason.changes(reason if withheld.volume else ""):
            lines = wrapped(reason, ROWS_X - 20, SMALL) if withheld.volume else []
            for line, words in enumerate(lines[:REASON_LINES]):
                text(self._reason.region, words, (12, 12 + REASON_STEP * line), AMBER, SMALL)
        ventricle = analysis.ventricle
        if self._names.changes(NAMES):
            for row, name in enumerate(NAMES):
                text(self._names.region, name, (0, 20 + ROW * row), DIM, SMALL)
        values = (
            _figure(ventricle.area_cm2, "cm2"),
            _figure(ventricle.length_mm, "mm"),
            _figure(ventricle.volume_ml, "ml"),
            _quality(analysis),
            _best(best, "ED"),
            _best(best, "ES"),
        )
        for cell, value in zip(self._values, values):
            if cell.changes(value):
                text(cell.region, value, (0, 14), TEXT, SMALL)


def _large(cell: Cell, title: str, value: str, unit: str, below: str) -> None:
    """A figure that reads from across the room, with its title above and what it is of below."""
    if cell.changes((title, value, below)):
        text(cell.region, title, (12, 20), DIM, SMALL)
        text(cell.region, value or NONE, (10, 66), TEXT if value else DIM, LARGE, 2)
        text(cell.region, unit if value else "", (14 + width_of(value or NONE, LARGE, 2), 66), DIM, 0.55)
        text(cell.region, below, (12, 86), DIM, SMALL)


def _figure(value: float | None, unit: str) -> str:
    return NONE if value is None else f"{value:.1f} {unit}"


def _ejection_fraction(analysis: Analysis, refined: Held | None) -> tuple[str, str, str, str]:
    """Title, figure, unit, range: of two planes where they have been seen, else of the one, refined where it is."""
    if analysis.biplane is not None:
        return "EF, biplane", f"{analysis.biplane.ef_percent:.0f}", "%", "two planes"
    if refined is not None and refined.ejection_fraction is not None and not analysis.withheld.volume:
        spread = refined.ejection_fraction
        return "EF, refined", f"{spread.median:.0f}", "%", f"{spread.low:.0f}-{spread.high:.0f} (samples)"
    fractions = analysis.ejection_fractions
    if not fractions:
        return "EF, one plane", "", "%", "waiting for a beat"
    beats = "1 beat" if len(fractions) == 1 else f"{min(fractions):.0f}-{max(fractions):.0f}, {len(fractions)} beats"
    return "EF, one plane", f"{np.median(fractions):.0f}", "%", beats


def _quality(analysis: Analysis) -> str:
    regions = analysis.regions
    if regions is None or not regions.included.any() or not np.isfinite(analysis.scores).all():
        return NONE
    scores = analysis.scores[regions.included]
    return f"{scores.mean():.1f}, lowest {scores.min():.1f}"


def _best(best: Best | None, kind: str) -> str:
    rated = (best.ed if kind == "ED" else best.es) if best is not None else None
    return NONE if rated is None else f"frame {rated.analysis.frame.number} ({rated.mean:.1f})"
