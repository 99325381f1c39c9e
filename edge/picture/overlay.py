"""The picture a person sees: analysed sector, untouched sector, legend, hint, LV area curve, figures. 1280x720 RGB.

It is composed of the sector and our own figures alone: frames come cut to the sector, and only the rectangle around it
is shown.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import cv2
import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.heart.hint import Hint
from edge.picture.annotate import annotate, name_regions
from edge.picture.chart import Chart
from edge.picture.figures import Figures
from edge.picture.inset import INSET_W, Inset
from edge.picture.layout import (
    FIGURES_W,
    FOOT_Y,
    HEAD,
    HEIGHT,
    LEGEND_W,
    LEGEND_Y,
    STRIP_Y,
    WIDTH,
    Rectangle,
    Zoom,
    part,
    zoom_on,
)
from edge.picture.palette import (
    AMBER,
    BACKGROUND,
    BANNER,
    CONTOUR,
    DIM,
    HATCH,
    NOTICE,
    QUALITY_COLOURS,
    QUALITY_WORDS,
    TEXT,
    Canvas,
    Cell,
    quality_colour,
    text,
    width_of,
    wrapped,
)
from edge.refine.keyframe import Held

CURVE_SECONDS = 6.0
GAP = 16
BAR = 24
"""Grey of the lines at the top and at the foot."""
BANNER_W, BANNER_H = 560, 150
SEARCH = (52, 74, 84)


@dataclass(frozen=True)
class HeadUp:
    """What the technical line says: rate, age and latency in ms, engine and precision, frames dropped, a notice or "".

    Rate, age and latency are of no frame while none comes: `has_frame` is False then, and they are not shown.
    """

    fps: float
    age_ms: float
    latency_ms: float
    backend: str
    precision: str
    dropped: int
    notice: str = ""
    has_frame: bool = True


class Overlay:
    """Draws onto one canvas that it owns; `draw` returns that canvas, overwritten by the next call.

    The curve spans CURVE_SECONDS, or the whole recording where it has fewer `frames`. With `refines` it leaves room for
    the still of a refined key frame. `names` writes the regions' names beside them.
    """

    def __init__(self, fps: float, frames: int | None = None, refines: bool = False) -> None:
        canvas = self._canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self.names = False
        self._zoom: Zoom | None = None
        self._safe = False
        self._head = Cell(canvas[:HEAD], BAR)
        self._foot = Cell(canvas[FOOT_Y:], BAR)
        self._hint = Cell(canvas[LEGEND_Y:STRIP_Y, LEGEND_W:], 0)
        curve_w = WIDTH - FIGURES_W - (INSET_W + GAP if refines else 0)
        canvas[STRIP_Y:FOOT_Y, curve_w:] = BACKGROUND
        frames = min(frames or sys.maxsize, round(CURVE_SECONDS * fps) + 1)
        self._chart = Chart(canvas[STRIP_Y:FOOT_Y, :curve_w], max(2, frames - 1) / fps)
        self._figures = Figures(canvas[STRIP_Y:FOOT_Y, WIDTH - FIGURES_W :])
        self._inset = Inset(canvas[STRIP_Y:FOOT_Y, WIDTH - FIGURES_W - INSET_W : WIDTH - FIGURES_W])
        self._draw_legend()

    @property
    def side(self) -> Rectangle:
        """Where the untouched picture stands; a local window may show the whole screen there."""
        return self._zoom.side if self._zoom is not None else (WIDTH // 2, HEAD, WIDTH, LEGEND_Y)

    def restart(self) -> None:
        """Another patient: the curve begins afresh."""
        self._chart.clear()

    def draw(self, analysis: Analysis, head: HeadUp, best: Best | None = None, refined: Held | None = None) -> Canvas:
        """One analysed frame as a 720x1280x3 uint8 RGB picture."""
        canvas, frame = self._canvas, analysis.frame
        height, width = frame.image.shape[:2]
        zoom = self._place(analysis.extent or (0, 0, width, height))
        zoom.show(np.asarray(frame.image, np.uint8), canvas)
        main = part(canvas, zoom.main)
        annotate(main, analysis, zoom.scale, zoom.extent[:2])
        if self.names:
            name_regions(main, analysis, zoom.scale, zoom.extent[:2])
        self._draw_lines(head, _view(analysis), analysis.hint)
        self._chart.draw(analysis)
        self._figures.draw(analysis, best, refined)
        self._inset.draw(refined, analysis.withheld.volume)
        return canvas

    def draw_safe(
        self,
        image: Canvas | None,
        head: HeadUp,
        banner: str,
        refined: Held | None = None,
        extent: Rectangle | None = None,
    ) -> Canvas:
        """The sector without any overlay, curve or figure, and a banner that says why; no echo where `image` is None.

        `extent` is the rectangle of the frame around the sector, None as long as it is not known: then no echo is
        shown, either. `refined` is the frozen picture itself, refined: a still beside it.
        """
        canvas = self._canvas
        if image is not None and extent is not None:
            self._place(extent, safe=True).show(image, canvas, untouched_only=True)
        else:
            self._zoom = None
            canvas[HEAD:LEGEND_Y] = 0
        self._draw_lines(head, "", None)
        self._chart.clear()
        self._figures.clear()
        self._inset.draw(refined, banner)
        if banner.startswith("LOOKING") and self._zoom is None:
            self._draw_search()
        self._draw_banner(banner)
        return canvas

    def _place(self, extent: Rectangle, safe: bool = False) -> Zoom:
        """The zoom on a part of the frame; the panels are cleared when it moves, and when a banner came or went."""
        if self._zoom is None or self._zoom.extent != extent or safe or self._safe:
            self._canvas[HEAD:LEGEND_Y] = 0
            self._zoom = zoom_on(extent)
        self._safe = safe
        return self._zoom

    def _draw_banner(self, banner: str) -> None:
        """In the middle of the analysed picture's place."""
        if not banner:
            return
        left, top = (WIDTH // 2 - BANNER_W) // 2, (HEAD + LEGEND_Y - BANNER_H) // 2
        colour = SEARCH if banner.startswith("LOOKING") else BANNER
        region = self._canvas[top : top + BANNER_H, left : left + BANNER_W]
        region[:] = colour
        title, _, remedy = banner.partition(": ")
        size = min(1.0, 1.0 * (BANNER_W - 40) / max(1, width_of(title, 1.0, 2)))
        text(region, title, (20, 48), TEXT, size, 2)
        for line, words in enumerate(wrapped(remedy, BANNER_W - 40, 0.55)[:3]):
            text(region, words, (20, 82 + 24 * line), TEXT, 0.55)

    def _draw_search(self) -> None:
        """The outline of a sector in the untouched picture's place: nothing of the screen is shown yet."""
        middle, top = WIDTH * 3 // 4, HEAD + 60
        cv2.ellipse(self._canvas, (middle, top), (380, 380), 0, 50, 130, SEARCH, 3, cv2.LINE_AA)
        for side in (-1, 1):
            end = (round(middle + side * 380 * np.cos(np.deg2rad(50))), round(top + 380 * np.sin(np.deg2rad(50))))
            cv2.line(self._canvas, (middle, top), end, SEARCH, 3, cv2.LINE_AA)

    def _draw_legend(self) -> None:
        """The colours' meaning below the analysed picture."""
        y, x = LEGEND_Y + 18, 12
        for level, (word, colour) in enumerate(zip(QUALITY_WORDS, QUALITY_COLOURS), start=1):
            box = self._canvas[y - 12 : y + 2, x : x + 18]
            box[:] = colour
            if level == 1:
                rows, columns = np.ogrid[: box.shape[0], : box.shape[1]]
                box[(rows + columns) % HATCH < 2] = TEXT
            x = text(self._canvas, f"{level} {word}", (x + 24, y), TEXT, 0.42) + 16

    def _draw_lines(self, head: HeadUp, view: str, hint: Hint | None) -> None:
        """The lines at the top and at the foot, and the hint."""
        if self._head.changes((view, head.notice)):
            region = self._head.region
            x = text(region, "EchoEdge", (12, 21), CONTOUR, 0.6)
            x = text(region, view, (x + 24, 21), TEXT, 0.55) if view else x
            text(region, head.notice, (x + 24, 21), AMBER, 0.5)
            text(region, NOTICE, (WIDTH - 12 - width_of(NOTICE), 21), AMBER)
        engine = f"{head.backend} {head.precision}   dropped {head.dropped}"
        if head.has_frame:
            rates = f"{head.fps:.0f} fps   age {head.age_ms:.0f} ms   latency {head.latency_ms:.0f} ms"
            engine = f"{rates}   {engine}"
        if self._foot.changes(engine):
            text(self._foot.region, engine, (12, 16), DIM, 0.4)
        if self._hint.changes(hint) and hint is not None:
            region = self._hint.region
            x = text(region, f"{hint.subject}: {hint.problem}", (12, 18), quality_colour(hint.level))
            text(region, f"try {hint.remedy}", (x + 14, 18), TEXT)


def _view(analysis: Analysis) -> str:
    """The recognised view and how sure it is; the operator's where the network knows none."""
    turn = f", {analysis.turn}" if str(analysis.turn) else ""
    if analysis.view_probability is None:
        return f"{analysis.view}{turn}".removeprefix(", ")
    return f"{analysis.view or 'view ?'} {100 * analysis.view_probability:.0f} %{turn}"
