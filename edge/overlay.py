"""The picture a person sees: raw frame, annotated frame, LV area curve, head-up line. 1280x720 RGB."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.analysis import REGION_PX, Analysis
from edge.measure import Event
from edge.regions import LV, region_names

Canvas = NDArray[np.uint8]
Colour = tuple[int, int, int]

WIDTH, HEIGHT = 1280, 720
HEAD, CHART = 40, 168
PANEL_W, PANEL_H = WIDTH // 2, HEIGHT - HEAD - CHART
LEGEND_H = 30
NOTICE = "Research use only"
QUALITY_WORDS = ("not visible", "poor", "ok", "good", "excellent")
QUALITY_COLOURS: tuple[Colour, ...] = (
    (215, 48, 39), (252, 141, 89), (254, 224, 100), (145, 207, 96), (26, 152, 80),
)  # fmt: skip
CONTOUR: Colour = (0, 229, 255)
TEXT: Colour = (235, 235, 235)
DIM: Colour = (150, 150, 150)
GRID: Colour = (60, 60, 60)
BANNER: Colour = (178, 34, 34)
AMBER: Colour = (255, 200, 90)
FONT = cv2.FONT_HERSHEY_SIMPLEX
ALPHA = 0.45
CURVE_SECONDS = 6.0


@dataclass(frozen=True)
class HeadUp:
    """The head-up line: frames per second, age and latency in ms, engine and precision, frames dropped, a notice or ""."""

    fps: float
    age_ms: float
    latency_ms: float
    backend: str
    precision: str
    dropped: int
    notice: str = ""


class Overlay:
    """Draws onto one canvas that it owns; `draw` returns that canvas, overwritten by the next call.

    The curve spans CURVE_SECONDS, or the whole recording where it has fewer `frames`.
    """

    def __init__(self, frame_shape: tuple[int, int], fps: float, view: str = "", frames: int | None = None) -> None:
        self._canvas: Canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self._shape: tuple[int, int] | None = None
        self._safe = False
        self.fit(frame_shape)
        window = max(2, min(round(CURVE_SECONDS * fps), frames or sys.maxsize))
        self._curve: deque[tuple[int, float]] = deque(maxlen=window)
        self._events: deque[Event] = deque(maxlen=32)
        self._names = region_names(view)
        self._draw_static()

    def fit(self, frame_shape: tuple[int, int]) -> None:
        """Place the panels for frames of this (height, width); another size than before clears them."""
        if frame_shape == self._shape:
            return
        self._shape = frame_shape
        height, width = frame_shape
        self._canvas[HEAD : HEAD + PANEL_H - LEGEND_H] = 0
        self._scale = min(PANEL_W / width, (PANEL_H - LEGEND_H) / height)
        self._size = (round(width * self._scale), round(height * self._scale))
        left = (PANEL_W - self._size[0]) // 2
        top = HEAD + (PANEL_H - LEGEND_H - self._size[1]) // 2
        self._raw_at, self._marked_at = (left, top), (PANEL_W + left, top)

    def draw(self, analysis: Analysis, head: HeadUp) -> Canvas:
        """One analysed frame as a 720x1280x3 uint8 RGB picture."""
        canvas = self._canvas
        if self._safe:  # the banner reaches beyond the frame's place
            canvas[HEAD : HEAD + PANEL_H - LEGEND_H] = 0
            self._safe = False
        shown = self._panel(np.asarray(analysis.frame.image, np.uint8))
        for x, y in (self._raw_at, self._marked_at):
            canvas[y : y + self._size[1], x : x + self._size[0]] = shown
        self._draw_regions(analysis)
        self._draw_head(head)
        self._draw_chart(analysis)
        return canvas

    def draw_safe(self, image: Canvas | None, head: HeadUp, banner: str) -> Canvas:
        """The picture without any overlay, curve or figure, and a banner that says why; black where `image` is None."""
        canvas, self._safe = self._canvas, True
        x, y = self._raw_at
        canvas[HEAD : HEAD + PANEL_H - LEGEND_H] = 0
        if image is not None:
            canvas[y : y + self._size[1], x : x + self._size[0]] = self._panel(image)
        self._draw_head(head)
        canvas[HEIGHT - CHART :] = 12
        self._curve.clear()
        self._events.clear()
        if banner:
            cv2.rectangle(canvas, (PANEL_W + 10, HEAD + 170), (WIDTH - 10, HEAD + 250), BANNER, -1)
            title, _, remedy = banner.partition(": ")
            _text(canvas, title, (PANEL_W + 30, HEAD + 203), TEXT, 0.9)
            _text(canvas, remedy[:74], (PANEL_W + 30, HEAD + 233), TEXT, 0.5)
        return canvas

    def _panel(self, image: Canvas) -> Canvas:
        """A frame at the panels' size, RGB."""
        if image.ndim == 2:
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
        return np.asarray(cv2.resize(image, self._size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _draw_static(self) -> None:
        """What never changes: the legend below the annotated panel and the notice."""
        y = HEAD + PANEL_H - 11
        x = PANEL_W + 12
        for word, colour in zip(QUALITY_WORDS, QUALITY_COLOURS):
            cv2.rectangle(self._canvas, (x, y - 12), (x + 14, y + 2), colour, -1)
            _text(self._canvas, word, (x + 20, y), TEXT)
            x += 44 + 9 * len(word)
        _text(self._canvas, NOTICE, (12, y), AMBER)

    def _draw_regions(self, analysis: Analysis) -> None:
        """Regions filled by quality, LV contour and apex line, in the annotated panel."""
        x0, y0 = self._marked_at
        panel = self._canvas[y0 : y0 + self._size[1], x0 : x0 + self._size[0]]
        scale = analysis.box.side / REGION_PX * self._scale
        offset = np.array((analysis.box.x, analysis.box.y)) * self._scale + scale / 2 - 0.5
        if analysis.regions is not None and np.isfinite(analysis.scores).all():
            labels = analysis.regions.labels
            colours = np.zeros((9, 3), np.uint8)
            colours[1:] = [quality_colour(score) for score in analysis.scores]
            matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
            big = cv2.warpAffine(labels, matrix, self._size, flags=cv2.INTER_NEAREST)
            x, y, width, height = cv2.boundingRect(big)
            if width and height:
                part, marked = panel[y : y + height, x : x + width], big[y : y + height, x : x + width]
                mixed = cv2.addWeighted(part, 1 - ALPHA, colours[marked], ALPHA, 0)
                np.copyto(part, mixed, where=(marked > 0)[..., None])
        contours, _ = cv2.findContours((analysis.mask == LV).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            smooth = _smooth_closed(contour[:, 0].astype(np.float64)) * scale + offset
            points = np.round(smooth * 8).astype(np.int32)
            cv2.polylines(panel, [points], True, CONTOUR, 2, cv2.LINE_AA, shift=3)
        if analysis.reason:
            _text(panel, analysis.reason, (10, self._size[1] - 12), (255, 120, 120))

    def _draw_head(self, head: HeadUp) -> None:
        self._canvas[:HEAD] = 24
        _text(
            self._canvas,
            f"{head.fps:5.1f} fps   age {head.age_ms:5.1f} ms   latency {head.latency_ms:5.1f} ms   "
            f"{head.backend} {head.precision}   dropped {head.dropped}",
            (12, 26), TEXT, 0.55,
        )  # fmt: skip
        _text(self._canvas, head.notice, (WIDTH - 400, 26), AMBER, 0.55)
        _text(self._canvas, "EchoEdge", (WIDTH - 110, 26), CONTOUR, 0.6)

    def _draw_chart(self, analysis: Analysis) -> None:
        """LV area over the last seconds with ED and ES marks, and the measurements as text."""
        ventricle = analysis.ventricle
        calibrated = ventricle.area_cm2 is not None
        area = ventricle.area_cm2 if ventricle.area_cm2 is not None else ventricle.area_px
        self._curve.append((analysis.frame.number, area))
        if analysis.event is not None:
            self._events.append(analysis.event)
        top = HEIGHT - CHART
        chart = self._canvas[top:]
        chart[:] = 12
        left, right, low, high = 64, WIDTH - 300, CHART - 26, 22
        areas = [a for _, a in self._curve]
        floor, ceiling = _axis(min(areas), max(areas))
        first = self._curve[0][0]
        per_frame = (right - left) / max(1, (self._curve.maxlen or 1) - 1)

        def place(frame: int, value: float) -> tuple[int, int]:
            share = (value - floor) / (ceiling - floor)
            return round(left + (frame - first) * per_frame), round(low - share * (low - high))

        for share in (0.0, 0.5, 1.0):
            value = floor + share * (ceiling - floor)
            y = place(first, value)[1]
            cv2.line(chart, (left, y), (right, y), GRID, 1)
            _text(chart, f"{value:.0f}", (14, y + 5), DIM)
        unit = "cm2" if calibrated else "px"
        _text(chart, f"LV area ({unit})", (left, 14), DIM)
        points = np.array([place(f, a) for f, a in self._curve], np.int32)
        cv2.polylines(chart, [points], False, CONTOUR, 2, cv2.LINE_AA)
        known = dict(self._curve)
        for event in self._events:
            if event.frame in known:
                x, y = place(event.frame, known[event.frame])
                cv2.circle(chart, (x, y), 5, (255, 200, 90), -1, cv2.LINE_AA)
                above = event.kind == "ED"
                _text(chart, event.kind, (x - 10, y - 9 if above else y + 19), AMBER)
        self._draw_measurements(chart, analysis, right + 24)

    def _draw_measurements(self, chart: Canvas, analysis: Analysis, x: int) -> None:
        ventricle, fractions = analysis.ventricle, analysis.ejection_fractions
        rows = [
            ("LV area", ventricle.area_cm2, "cm2"),
            ("LV length", ventricle.length_mm, "mm"),
            ("LV volume", ventricle.volume_ml, "ml"),
        ]
        for index, (name, value, unit) in enumerate(rows):
            shown = f"{value:.1f} {unit}" if value is not None else "-"
            _text(chart, name, (x, 26 + 24 * index), DIM, 0.5)
            _text(chart, shown, (x + 110, 26 + 24 * index), TEXT, 0.5)
        if ventricle.area_cm2 is None:
            ef = "mm per pixel unknown"
        elif not fractions:
            ef = "waiting for a beat"
        elif len(fractions) == 1:
            ef = f"{fractions[0]:.0f} % (1 beat)"
        else:
            ef = f"{np.median(fractions):.0f} % ({min(fractions):.0f}-{max(fractions):.0f})"
        _text(chart, "EF (1 plane)", (x, 98), DIM, 0.5)
        _text(chart, ef, (x + 110, 98), TEXT, 0.5)
        if analysis.regions is not None and np.isfinite(analysis.scores).all():
            included = np.flatnonzero(analysis.regions.included)
            worst = included[np.argmin(analysis.scores[included])] if len(included) else None
            if worst is not None:
                _text(chart, "Weakest", (x, 122), DIM, 0.5)
                _text(chart, f"{self._names[worst]} {analysis.scores[worst]:.1f}", (x + 110, 122), TEXT, 0.5)


def quality_colour(score: float) -> Colour:
    """Colour of a score 1-5, rounded to its level."""
    return QUALITY_COLOURS[int(np.clip(round(float(score)), 1, 5)) - 1]


def _axis(low: float, high: float) -> tuple[float, float]:
    """Rounded axis limits around a range, a tenth wider."""
    margin = max(0.1 * (high - low), 0.02 * abs(high), 1e-6)
    return low - margin, high + margin


def _smooth_closed(points: NDArray[np.float64], width: int = 7) -> NDArray[np.float64]:
    """Moving average along a closed outline: removes the pixel staircase, keeps the shape."""
    if len(points) < 2 * width:
        return points
    padded = np.vstack([points[-(width // 2) :], points, points[: width // 2]])
    total = np.cumsum(np.vstack([np.zeros((1, 2)), padded]), axis=0)
    return np.asarray((total[width:] - total[:-width]) / width)


def _text(canvas: Canvas, text: str, at: tuple[int, int], colour: Colour, size: float = 0.48) -> None:
    cv2.putText(canvas, text, at, FONT, size, colour, 1, cv2.LINE_AA)
