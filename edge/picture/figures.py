"""Beside the curve: ejection fraction with its interval and heart rate large; the last beats' figures, what the frame
shows, and why something is withheld small."""

from __future__ import annotations

import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.heart.record import Figure, Heart
from edge.picture.palette import AMBER, BACKGROUND, DIM, TEXT, Canvas, Cell, text, width_of, wrapped
from edge.refine.keyframe import Held

SMALL, LARGE = 0.4, 1.5
RATE_X, BEATS_X, BEATS_VALUE_X, NOW_X, NOW_VALUE_X = 140, 272, 366, 488, 552
"""Columns: EF, rate, names and values of the last beats' figures, names and values of what this frame shows."""
ROW = 20
REASON_Y, REASON_STEP = 104, 15
REASON_LINES = 3
OLD_S = 5.0
"""Beats this long ago are shown with their age: the picture may be of another view by now."""
NONE = "-"
OF_BEATS = ("EDV", "ESV", "FAC", "MAPSE", "Contour strain", "LA volume")
OF_FRAME = ("LV area", "LV length", "LV volume", "Quality", "Best ED", "Best ES")


class Figures:
    """Draws onto a region of the canvas, each group again only when it changes."""

    def __init__(self, region: Canvas) -> None:
        height = region.shape[0]
        self._ef = Cell(region[: REASON_Y - 12, :RATE_X], BACKGROUND)
        self._rate = Cell(region[: REASON_Y - 12, RATE_X:BEATS_X], BACKGROUND)
        self._reason = Cell(region[REASON_Y - 12 : height, :BEATS_X], BACKGROUND)
        self._beats = _Rows(region, OF_BEATS, BEATS_X, BEATS_VALUE_X, NOW_X)
        self._frame = _Rows(region, OF_FRAME, NOW_X, NOW_VALUE_X, region.shape[1])
        region[:] = BACKGROUND

    def clear(self) -> None:
        """Show nothing."""
        for cell in (self._ef, self._rate, self._reason):
            cell.changes(None)
        self._beats.clear()
        self._frame.clear()

    def draw(self, analysis: Analysis, best: Best | None, refined: Held | None) -> None:
        """One frame's figures."""
        heart, ventricle = analysis.heart, analysis.ventricle
        _large(self._ef, *_ejection_fraction(analysis, refined))
        rate = f"{heart.rhythm.rate_bpm:.0f}" if heart.rhythm else ""
        _large(self._rate, "Heart rate", rate, "bpm", _beats(heart))
        reason = _reason(analysis)
        if self._reason.changes(reason):
            lines = wrapped(reason or "", BEATS_X - 20, SMALL)
            for line, words in enumerate(lines[:REASON_LINES]):
                text(self._reason.region, words, (12, 12 + REASON_STEP * line), AMBER, SMALL)
        both = heart.biplane
        self._beats.draw(
            _range(heart.edv_ml, "ml") if both is None else f"{both.edv_ml:.0f} ml, biplane",
            _range(heart.esv_ml, "ml") if both is None else f"{both.esv_ml:.0f} ml, biplane",
            _range(heart.fac_percent, "%"),
            _range(heart.mapse_mm, "mm", 1),
            _range(heart.strain_percent, "%"),
            _range(heart.la_volume_ml, "ml")
            if both is None or both.la_volume_ml is None
            else f"{both.la_volume_ml:.0f} ml, biplane",
        )
        self._frame.draw(
            _figure(ventricle.area_cm2, "cm2"),
            _figure(ventricle.length_mm, "mm"),
            _figure(ventricle.volume_ml, "ml"),
            _quality(analysis),
            _best(best, "ED"),
            _best(best, "ES"),
        )


class _Rows:
    """Names with a value each, below one another; a value is drawn again only when it changes."""

    def __init__(self, region: Canvas, names: tuple[str, ...], x: int, value_x: int, end_x: int) -> None:
        self._names, self._column = names, Cell(region[:, x:value_x], BACKGROUND)
        self._values = [
            Cell(region[6 + ROW * row : 6 + ROW * (row + 1), value_x:end_x], BACKGROUND) for row in range(len(names))
        ]

    def clear(self) -> None:
        for cell in (self._column, *self._values):
            cell.changes(None)

    def draw(self, *values: str) -> None:
        if self._column.changes(self._names):
            for row, name in enumerate(self._names):
                text(self._column.region, name, (0, 20 + ROW * row), DIM, SMALL)
        for cell, value in zip(self._values, values, strict=True):
            if cell.changes(value):
                text(cell.region, value, (0, 14), TEXT if value != NONE else DIM, SMALL)


def _large(cell: Cell, title: str, value: str, unit: str, below: str) -> None:
    """A figure that reads from across the room, with its title above and what it is of below."""
    if cell.changes((title, value, below)):
        text(cell.region, title, (12, 20), DIM, SMALL)
        text(cell.region, value or NONE, (10, 66), TEXT if value else DIM, LARGE, 2)
        text(cell.region, unit if value else "", (14 + width_of(value or NONE, LARGE, 2), 66), DIM, 0.55)
        text(cell.region, below, (12, 86), DIM, SMALL)


def _figure(value: float | None, unit: str) -> str:
    return NONE if value is None else f"{value:.1f} {unit}"


def _range(figure: Figure | None, unit: str, digits: int = 0) -> str:
    """The beats' median, and their range where there are several."""
    if figure is None:
        return NONE
    middle = f"{figure.median:.{digits}f} {unit}"
    if figure.n == 1:
        return middle
    to = " to " if figure.low < 0 else "-"
    return f"{middle} ({figure.low:.{digits}f}{to}{figure.high:.{digits}f})"


def _beats(heart: Heart) -> str:
    """How many beats the figures are of, that they are old, or that they are irregular."""
    if heart.fac_percent is None:
        return "waiting for a beat"
    if heart.age_s > OLD_S:
        return f"{heart.age_s:.0f} s ago"
    if heart.rhythm is not None and heart.rhythm.is_irregular:
        return "irregular"
    return "1 beat" if heart.fac_percent.n == 1 else f"{heart.fac_percent.n} beats"


def _ejection_fraction(analysis: Analysis, refined: Held | None) -> tuple[str, str, str, str]:
    """Title, figure, unit, interval: of two planes where they have been seen, else of the one, refined where it is."""
    heart = analysis.heart
    if heart.biplane is not None and heart.biplane.ef_percent is not None:
        return "EF, biplane", f"{heart.biplane.ef_percent:.0f}", "%", _interval(heart.biplane.ef_interval90_percent)
    if refined is not None and refined.ejection_fraction is not None and not analysis.withheld.volume:
        spread = refined.ejection_fraction
        return "EF, refined", f"{spread.median:.0f}", "%", f"{spread.low:.0f}-{spread.high:.0f} (samples)"
    if heart.ef_percent is None:
        return "EF, one plane", "", "%", "not sure" if heart.unsure else "waiting for a beat"
    return "EF, one plane", f"{heart.ef_percent.median:.0f}", "%", _interval(heart.ef_interval90_percent)


def _interval(interval: tuple[float, float] | None) -> str:
    return f"90 %: {interval[0]:.0f}-{interval[1]:.0f}" if interval else ""


def _reason(analysis: Analysis) -> str | None:
    """Why something is not shown, or what speaks against what is."""
    withheld, heart = analysis.withheld, analysis.heart
    if withheld.area:
        return f"withheld: {withheld.area}"
    if withheld.volume:
        return f"volume withheld: {withheld.volume}"
    both = heart.biplane
    return heart.reason or heart.unsure or (both.unsure or both.warning if both else "") or None


def _quality(analysis: Analysis) -> str:
    regions = analysis.regions
    if regions is None or not regions.included.any() or not np.isfinite(analysis.scores).all():
        return NONE
    scores = analysis.scores[regions.included]
    return f"{scores.mean():.1f}, lowest {scores.min():.1f}"


def _best(best: Best | None, kind: str) -> str:
    rated = (best.ed if kind == "ED" else best.es) if best is not None else None
    return NONE if rated is None else f"frame {rated.analysis.frame.number} ({rated.mean:.1f})"
