"""Below the picture: LV area over the last seconds with ED and ES."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.beats import Event
from edge.picture.palette import AMBER, BACKGROUND, DIM, GRID, Canvas, Cell, smooth_line, text

LEFT, TOP, BOTTOM, RIGHT = 52, 30, 26, 14
"""Margins of the curve's box: the scale, the title, the seconds, and room for the newest mark."""
SMALL = 0.42
GAP_S = 1.0
"""The curve breaks where nothing was measured for longer."""
SECOND_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SHARES = (0.0, 0.5, 1.0)


class Chart:
    """Draws onto a region of the canvas, the curve within its own box. It spans `span_s` seconds and breaks where the
    area is withheld."""

    def __init__(self, region: Canvas, span_s: float) -> None:
        height, width = region.shape[:2]
        self._span_s = span_s
        self._box = region[:, LEFT:]
        self._right, self._low = width - LEFT - RIGHT, height - BOTTOM
        self._grid = self._empty_box()
        self._title = Cell(region[: TOP - 10], BACKGROUND)
        self._scale = Cell(region[TOP - 10 :, :LEFT], BACKGROUND)
        self._unit = ""
        self._points: deque[tuple[int, float, float]] = deque()
        self._events: deque[Event] = deque(maxlen=32)
        self._first_s = 0.0
        region[:] = BACKGROUND

    def clear(self) -> None:
        """Show nothing and begin afresh."""
        self._points.clear()
        self._events.clear()
        self._title.changes(None)
        self._scale.changes(None)
        self._box[:] = BACKGROUND

    def draw(self, analysis: Analysis) -> None:
        """Add one frame's area and draw all."""
        frame, ventricle = analysis.frame, analysis.ventricle
        area = np.nan
        if not analysis.withheld.picture and ventricle.area_px:
            unit = "px" if ventricle.area_cm2 is None else f"cm2, scale: {analysis.calibration.origin}"
            if unit != self._unit:
                self._points.clear()
            self._unit, area = unit, ventricle.area_px if ventricle.area_cm2 is None else ventricle.area_cm2
        if self._points and frame.time_s < self._points[-1][1]:  # the source begins again
            self._points.clear()
            self._events.clear()
        if self._points and frame.time_s == self._points[-1][1]:  # drawn again
            self._points.pop()
        self._first_s = self._first_s if self._points else frame.time_s
        self._points.append((frame.number, frame.time_s, area))
        while self._points[0][1] < frame.time_s - self._span_s:
            self._points.popleft()
        if analysis.event is not None:
            self._events.append(analysis.event)
        self._draw()

    def _draw(self) -> None:
        times, areas = np.array([point[1:] for point in self._points]).T
        shown = np.isfinite(areas)
        if not shown.any():
            self._box[TOP - 10 :] = BACKGROUND
            self._title.changes(None)
            self._scale.changes(None)
            return
        floor, ceiling = _axis(float(areas[shown].min()), float(areas[shown].max()))
        self._label(floor, ceiling)
        self._box[TOP - 10 :] = self._grid
        start_s = max(self._first_s, float(times[-1]) - self._span_s)
        x = (times - start_s) / self._span_s * self._right
        y = self._low - (areas - floor) / (ceiling - floor) * (self._low - TOP)
        breaks = np.flatnonzero((np.diff(shown.astype(np.int8)) != 0) | (np.diff(times) > GAP_S)) + 1
        for piece in np.split(np.arange(len(times)), breaks):
            if shown[piece[0]]:
                smooth_line(self._box, np.stack([x[piece], y[piece]], axis=1), False)
        places = {point[0]: k for k, point in enumerate(self._points)} if self._events else {}
        for event in self._events:
            k = places.get(event.frame)
            if k is not None and shown[k]:
                at = (round(float(x[k])), round(float(y[k])))
                cv2.circle(self._box, at, 5, AMBER, -1, cv2.LINE_AA)
                aside = (max(0, at[0] - 10), at[1] - 9 if event.kind == "ED" else at[1] + 19)
                text(self._box, event.kind, aside, AMBER, SMALL)

    def _label(self, floor: float, ceiling: float) -> None:
        if self._title.changes(self._unit):
            text(self._title.region, f"LV area ({self._unit})", (12, 15), DIM, SMALL)
        figures = tuple(f"{floor + share * (ceiling - floor):.0f}" for share in SHARES)
        if self._scale.changes((figures, self._unit)):
            for share, figure in zip(SHARES, figures):
                y = round(self._low - share * (self._low - TOP)) - (TOP - 10)
                text(self._scale.region, figure, (12, y + 5), DIM, SMALL)

    def _empty_box(self) -> Canvas:
        """The box below the title with its grid: seconds since its left edge."""
        box = np.full_like(self._box, BACKGROUND)
        for share in SHARES:
            y = round(self._low - share * (self._low - TOP))
            cv2.line(box, (0, y), (self._right, y), GRID, 1)
        step = next((s for s in SECOND_STEPS if self._span_s / s <= 8), SECOND_STEPS[-1])
        for k in range(int(self._span_s / step + 1e-6) + 1):
            x = round(k * step / self._span_s * self._right)
            cv2.line(box, (x, TOP), (x, self._low + 3), GRID, 1)
            text(box, f"{k * step:g}" + (" s" if k == 0 else ""), (x - 4 if k else 0, self._low + 18), DIM, 0.38)
        return box[TOP - 10 :]


def _axis(low: float, high: float) -> tuple[float, float]:
    """Axis limits around a range, a tenth wider."""
    margin = max(0.1 * (high - low), 0.02 * abs(high), 1e-6)
    return low - margin, high + margin
