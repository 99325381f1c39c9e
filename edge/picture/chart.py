"""Below the picture: LV area over the last seconds with ED and ES, and the measurements as figures."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.beats import Event
from edge.heart.best import Best
from edge.picture.inset import figure
from edge.picture.palette import AMBER, CONTOUR, DIM, GRID, TEXT, Canvas, text, wrapped
from edge.refine.keyframe import Held

FIGURES_W = 330
ROW = 20
LEFT = 64
SMALL = 0.42
BACKGROUND = 12


class Chart:
    """Draws onto a strip of the canvas. The curve spans `window` frames; it breaks where the area is withheld.

    `spare_px` columns between curve and figures stay free.
    """

    def __init__(self, strip: Canvas, window: int, spare_px: int = 0) -> None:
        self._strip = strip
        self._curve_px = strip.shape[1] - FIGURES_W - spare_px
        self._curve: deque[tuple[int, float]] = deque(maxlen=window)
        self._events: deque[Event] = deque(maxlen=32)
        self._unit = ""

    def clear(self) -> None:
        """Show nothing and begin afresh."""
        self._strip[:] = BACKGROUND
        self._curve.clear()
        self._events.clear()

    def draw(self, analysis: Analysis, best: Best | None, refined: Held | None = None) -> None:
        """Add one frame's area and draw all."""
        ventricle = analysis.ventricle
        area = np.nan
        if not analysis.withheld.picture and ventricle.area_px:
            unit = "px" if ventricle.area_cm2 is None else f"cm2, scale: {analysis.calibration.origin}"
            if unit != self._unit:
                self._curve.clear()
            self._unit, area = unit, ventricle.area_px if ventricle.area_cm2 is None else ventricle.area_cm2
        self._curve.append((analysis.frame.number, area))
        if analysis.event is not None:
            self._events.append(analysis.event)
        self._strip[:] = BACKGROUND
        self._draw_curve()
        self._draw_figures(analysis, best, refined)

    def _draw_curve(self) -> None:
        chart, height = self._strip, self._strip.shape[0]
        right, low, high = self._curve_px, height - 26, 34
        areas = np.array([area for _, area in self._curve])
        shown = np.isfinite(areas)
        if not shown.any():
            return
        text(chart, f"LV area ({self._unit})", (14, 14), DIM)
        floor, ceiling = _axis(float(areas[shown].min()), float(areas[shown].max()))
        first = self._curve[0][0]
        per_frame = (right - LEFT) / max(1, (self._curve.maxlen or 1) - 1)

        def place(frame: int, value: float) -> tuple[int, int]:
            share = (value - floor) / (ceiling - floor)
            return round(LEFT + (frame - first) * per_frame), round(low - share * (low - high))

        for share in (0.0, 0.5, 1.0):
            value = floor + share * (ceiling - floor)
            y = place(first, value)[1]
            cv2.line(chart, (LEFT, y), (right, y), GRID, 1)
            text(chart, f"{value:.0f}", (14, y + 5), DIM)
        breaks = np.flatnonzero(np.diff(shown.astype(np.int8))) + 1
        known = dict(self._curve)
        for frames in np.split(np.array(list(known)), breaks):
            if np.isfinite(known[frames[0]]):
                points = np.array([place(f, known[f]) for f in frames], np.int32)
                cv2.polylines(chart, [points], False, CONTOUR, 2, cv2.LINE_AA)
        for event in self._events:
            if np.isfinite(known.get(event.frame, np.nan)):
                x, y = place(event.frame, known[event.frame])
                cv2.circle(chart, (x, y), 5, AMBER, -1, cv2.LINE_AA)
                text(chart, event.kind, (x - 10, y - 9 if event.kind == "ED" else y + 19), AMBER)

    def _draw_figures(self, analysis: Analysis, best: Best | None, refined: Held | None) -> None:
        ventricle, withheld = analysis.ventricle, analysis.withheld
        rows = [
            ("LV area", _figure(ventricle.area_cm2, "cm2")),
            ("LV length", _figure(ventricle.length_mm, "mm")),
            ("LV volume", _figure(ventricle.volume_ml, "ml")),
            _ejection_fraction(analysis, refined),
            ("Quality", _quality(analysis)),
            ("Best frame", _best(best)),
        ]
        x = self._strip.shape[1] - FIGURES_W + 24
        for row, (name, value) in enumerate(rows):
            text(self._strip, name, (x, 18 + ROW * row), DIM)
            text(self._strip, value, (x + 110, 18 + ROW * row), TEXT)
        reason = f"withheld: {withheld.area}" if withheld.area else f"volume withheld: {withheld.volume}"
        for line, words in enumerate(wrapped(reason, FIGURES_W - 36, SMALL)[:2] if withheld.volume else ()):
            text(self._strip, words, (x, 18 + ROW * len(rows) + 16 * line), AMBER, SMALL)


def _figure(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.1f} {unit}"


def _ejection_fraction(analysis: Analysis, refined: Held | None) -> tuple[str, str]:
    """Name and figure: of two planes where they have been seen, else of the one, refined where that is known."""
    if analysis.biplane is not None:
        return "EF (biplane)", f"{analysis.biplane.ef_percent:.0f} %"
    if refined is not None and refined.ejection_fraction is not None and not analysis.withheld.volume:
        return "EF (refined)", figure(refined.ejection_fraction, " %")
    return "EF (1 plane)", "-" if analysis.withheld.volume else _beats(analysis.ejection_fractions)


def _beats(fractions: tuple[float, ...]) -> str:
    if len(fractions) < 2:
        return f"{fractions[0]:.0f} % (1 beat)" if fractions else "waiting for a beat"
    return f"{np.median(fractions):.0f} % ({min(fractions):.0f}-{max(fractions):.0f})"


def _quality(analysis: Analysis) -> str:
    regions = analysis.regions
    if regions is None or not regions.included.any() or not np.isfinite(analysis.scores).all():
        return "-"
    scores = analysis.scores[regions.included]
    return f"mean {scores.mean():.1f}, lowest {scores.min():.1f}"


def _best(best: Best | None) -> str:
    frames = [f for f in (best.ed, best.es) if f] if best else []
    return ", ".join(f"{f.kind} {f.analysis.frame.number} ({f.mean:.1f})" for f in frames) or "-"


def _axis(low: float, high: float) -> tuple[float, float]:
    """Rounded axis limits around a range, a tenth wider."""
    margin = max(0.1 * (high - low), 0.02 * abs(high), 1e-6)
    return low - margin, high + margin
