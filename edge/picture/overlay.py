"""The picture a person sees: raw frame, annotated frame, hint, LV area curve, head-up line. 1280x720 RGB."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import cv2
import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.heart.hint import Hint
from edge.picture.annotate import annotate, fitted
from edge.picture.chart import FIGURES_W, Chart
from edge.picture.inset import INSET_W, Inset
from edge.picture.palette import (
    AMBER,
    BANNER,
    CONTOUR,
    NOTICE,
    QUALITY_COLOURS,
    QUALITY_WORDS,
    TEXT,
    Canvas,
    quality_colour,
    text,
    width_of,
)
from edge.refine.keyframe import Held

WIDTH, HEIGHT = 1280, 720
HEAD, CHART = 40, 168
PANEL_W, PANEL_H = WIDTH // 2, HEIGHT - HEAD - CHART
LEGEND_H = 30
CURVE_SECONDS = 6.0
GAP = 16


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

    The curve spans CURVE_SECONDS, or the whole recording where it has fewer `frames`. With `refines` it leaves room for
    the still of a refined key frame.
    """

    def __init__(
        self, frame_shape: tuple[int, int], fps: float, frames: int | None = None, refines: bool = False
    ) -> None:
        self._canvas: Canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self._shape: tuple[int, int] | None = None
        self._safe = False
        self.fit(frame_shape)
        self._chart = Chart(
            self._canvas[HEIGHT - CHART :],
            max(2, min(round(CURVE_SECONDS * fps), frames or sys.maxsize)),
            INSET_W + GAP if refines else 0,
        )
        self._inset = Inset(self._canvas[HEIGHT - CHART :, WIDTH - FIGURES_W - INSET_W : WIDTH - FIGURES_W])
        self._draw_legend()

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

    def draw(self, analysis: Analysis, head: HeadUp, best: Best | None = None, refined: Held | None = None) -> Canvas:
        """One analysed frame as a 720x1280x3 uint8 RGB picture."""
        canvas = self._canvas
        if self._safe:  # the banner reaches beyond the frame's place
            canvas[HEAD : HEAD + PANEL_H - LEGEND_H] = 0
            self._safe = False
        shown = fitted(np.asarray(analysis.frame.image, np.uint8), self._size)
        for x, y in (self._raw_at, self._marked_at):
            canvas[y : y + self._size[1], x : x + self._size[0]] = shown
        x, y = self._marked_at
        annotate(canvas[y : y + self._size[1], x : x + self._size[0]], analysis, self._scale)
        self._draw_head(head, _view(analysis))
        self._draw_hint(analysis.hint)
        self._chart.draw(analysis, best, refined)
        if refined is not None:
            self._inset.draw(refined, analysis.withheld.volume)
        return canvas

    def draw_safe(self, image: Canvas | None, head: HeadUp, banner: str, refined: Held | None = None) -> Canvas:
        """The picture without any overlay, curve or figure, and a banner that says why; black where `image` is None.

        `refined` is the frozen picture itself, refined: a still beside it.
        """
        canvas, self._safe = self._canvas, True
        x, y = self._raw_at
        canvas[HEAD : HEAD + PANEL_H - LEGEND_H] = 0
        if image is not None:
            canvas[y : y + self._size[1], x : x + self._size[0]] = fitted(image, self._size)
        self._draw_head(head)
        self._draw_hint(None)
        self._chart.clear()
        if refined is not None:
            self._inset.draw(refined, banner)
        if banner:
            cv2.rectangle(canvas, (PANEL_W + 10, HEAD + 170), (WIDTH - 10, HEAD + 250), BANNER, -1)
            title, _, remedy = banner.partition(": ")
            text(canvas, title, (PANEL_W + 30, HEAD + 203), TEXT, 0.9)
            text(canvas, remedy[:74], (PANEL_W + 30, HEAD + 233), TEXT, 0.5)
        return canvas

    def _draw_legend(self) -> None:
        """The colours' meaning below the annotated panel."""
        y = HEAD + PANEL_H - 11
        x = PANEL_W + 12
        for word, colour in zip(QUALITY_WORDS, QUALITY_COLOURS):
            cv2.rectangle(self._canvas, (x, y - 12), (x + 14, y + 2), colour, -1)
            x = text(self._canvas, word, (x + 20, y), TEXT) + 22

    def _draw_hint(self, hint: Hint | None) -> None:
        """One line below the raw panel."""
        top = HEAD + PANEL_H - LEGEND_H
        strip = self._canvas[top : top + LEGEND_H, :PANEL_W]
        strip[:] = 0
        if hint is not None:
            x = text(strip, f"{hint.subject}: {hint.problem}", (12, 19), quality_colour(hint.level))
            text(strip, f"try {hint.remedy}", (x + 14, 19), TEXT)

    def _draw_head(self, head: HeadUp, view: str = "") -> None:
        self._canvas[:HEAD] = 24
        figures = (
            f"{head.fps:5.1f} fps   age {head.age_ms:5.1f} ms   latency {head.latency_ms:5.1f} ms   "
            f"{head.backend} {head.precision}   dropped {head.dropped}"
        )
        x = text(self._canvas, figures, (12, 26), TEXT, 0.55)
        x = text(self._canvas, view, (x + 20, 26), CONTOUR, 0.55) if view else x
        text(self._canvas, head.notice, (x + 20, 26), AMBER)
        text(self._canvas, "EchoEdge", (WIDTH - 110, 26), CONTOUR, 0.6)
        text(self._canvas, NOTICE, (WIDTH - 134 - width_of(NOTICE), 26), AMBER)


def _view(analysis: Analysis) -> str:
    """The recognised view and how sure it is, "" where the network knows no views."""
    if analysis.view_probability is None:
        return ""
    return f"{analysis.view or 'view ?'} {100 * analysis.view_probability:.0f} %"
