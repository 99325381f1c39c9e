"""Scanner screens around a synthetic picture, with the truth about where the echo is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.synth.cine import SyntheticFrame, SyntheticLoop
from edge.synth.settings import SCREEN_STREAM

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
FONT = cv2.FONT_HERSHEY_SIMPLEX
WHITE, GREY, GREEN, AMBER, CYAN, PANEL = (
    (235, 235, 235),
    (140, 140, 140),
    (60, 230, 90),
    (240, 180, 50),
    (80, 200, 230),
    (22, 26, 32),
)


@dataclass(frozen=True)
class Layout:
    """One vendor-like look. Pixels; `echo` is the top-left corner and side of the square that holds the picture.

    ticks: side of the depth scale, "left", "right" or "" for none; they stand for `tick_mm`, every `long_every`-th is
    longer (0: none), numbers stand at every `label_cm` (0: none); dots: it is dots beside the sector's slanted edge;
    zoom: (left, top, side) of the part of the picture that is shown, as shares of its side, and there a smaller fan;
    tracing: top of the ECG strip, 0 for none; bar: (x, y, width, height) of the grey bar or None; band: height of the
    title bar; panels: boxes of tinted side panels.
    """

    name: str
    size: tuple[int, int]
    echo: tuple[int, int, int]
    ink: Colour = WHITE
    ticks: str = "right"
    tracing: int = 0
    tracing_ink: Colour = GREEN
    bar: tuple[int, int, int, int] | None = None
    band: int = 0
    panels: tuple[tuple[int, int, int, int], ...] = ()
    menu: tuple[int, int, int, int] | None = None
    logo: str = ""
    tick_mm: float = 10.0
    long_every: int = 5
    label_cm: float = 5.0
    dots: bool = False
    zoom: tuple[float, float, float] = (0.0, 0.0, 1.0)


DOTS_DEG, DOTS_ASIDE = 46.0, 0.012
"""Where dots run, from the vertical: along the widest sector; and how far outside of it, as a share of the picture."""
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("screen1", (1280, 720), (320, 44, 610), WHITE, "right", 655, GREEN, (960, 70, 14, 220), 30, logo="V"),
        Layout("screen2", (1024, 768), (170, 60, 620), CYAN, "left", 690, CYAN, (970, 90, 18, 260), 40, logo="E9"),
        Layout("screen3", (800, 600), (130, 40, 500), AMBER, "right", 545, AMBER, (660, 60, 10, 160), logo="ie"),
        Layout("screen4", (640, 480), (84, 22, 400), GREY, "right", band=16, menu=(0, 430, 640, 50), logo="S"),
        Layout(
            "screen5",
            (1280, 1024),
            (250, 90, 800),
            WHITE,
            "left",
            905,
            AMBER,
            (1090, 120, 16, 300),
            70,
            ((0, 70, 190, 954), (1120, 70, 160, 954)),
            (1140, 420, 140, 480),
            "AC",
        ),
        Layout("screen6", (636, 436), (110, 18, 400), WHITE, "", bar=(590, 40, 8, 120)),
    )
}

DEPTH_LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("dots1", (1024, 768), (200, 60, 620), label_cm=0, long_every=0, dots=True),
        Layout("dots2", (1280, 720), (480, 44, 610), AMBER, "left", label_cm=0, long_every=0, dots=True),
        Layout("labels1", (1280, 720), (320, 44, 610), AMBER, "right", label_cm=5, long_every=0),
        Layout("labels2", (1024, 768), (170, 60, 620), ticks="left", tick_mm=5.0, label_cm=1, long_every=0),
        Layout("zoom1", (1024, 768), (200, 60, 620), tick_mm=5.0, label_cm=1, zoom=(0.25, 0.25, 0.5)),
        Layout("zoom2", (1280, 1024), (250, 90, 800), label_cm=1, long_every=0, zoom=(0.15, 0.3, 0.7)),
    )
}
"""Those whose depth scale is read otherwise than by the length of its ticks: dots, numbers, parts of a picture."""


def layout_of(name: str) -> Layout:
    """A layout by name. Raises SourceError that lists them."""
    known = LAYOUTS | DEPTH_LAYOUTS
    if name not in known:
        raise SourceError(f"'{name}' is not a screen layout; the layouts are {', '.join(known)}")
    return known[name]


class Screen:
    """Draws a loop's frames on a layout. `sector` (HxW bool) and `spacing_mm` (row, column) hold for the whole screen.

    `echo` is the box (x0, y0, x1, y1) of the picture. The loop's size_px must be the layout's. Seeded by the loop's
    seed.
    """

    def __init__(self, layout: Layout, loop: SyntheticLoop) -> None:
        x, y, side = layout.echo
        if loop.size_px != side:
            raise SourceError(
                f"{layout.name} holds a picture of {side} px, the loop has {loop.size_px}; make it with size_px={side}"
            )
        self.layout, self._loop = layout, loop
        self.echo = (x, y, x + side, y + side)
        width, height = layout.size
        self._left, self._top, self._part = (round(share * side) for share in layout.zoom)
        self._fan = self._shown(loop.sector.astype(np.uint8), cv2.INTER_NEAREST_EXACT) > 0
        if self._part < side:
            self._fan &= self._zoomed_fan()
        self.sector: NDArray[np.bool_] = np.zeros((height, width), np.bool_)
        self.sector[y : y + side, x : x + side] = self._fan
        row_mm, column_mm = loop.spacing_mm
        self.spacing_mm = (row_mm * self._part / side, column_mm * self._part / side)
        self._rng = np.random.default_rng([loop.seed, SCREEN_STREAM])
        self._still = self._draw_still()
        self._ecg = _ecg(width, loop)

    def compose(self, frame: SyntheticFrame) -> Picture:
        """The whole screen, height x width x 3 RGB uint8. Marks are drawn outside the sector only."""
        picture: Picture = self._still.copy()
        x0, y0, x1, y1 = self.echo
        window = picture[y0:y1, x0:x1]
        np.copyto(window, self._shown(frame.image)[:, :, None], where=self._fan[:, :, None])
        if self.layout.tracing:
            self._trace(picture, frame)
        return picture

    def mask(self, frame: SyntheticFrame) -> NDArray[np.uint8]:
        """Labels 0-3 on the screen, height x width uint8."""
        out = np.zeros(self.sector.shape, np.uint8)
        x0, y0, x1, y1 = self.echo
        out[y0:y1, x0:x1] = self._shown(frame.mask, cv2.INTER_NEAREST_EXACT)
        return out

    def _shown(self, picture: Picture, how: int = cv2.INTER_CUBIC) -> Picture:
        """The part of the loop's picture that the layout shows, at the size that it is shown in."""
        side = self.layout.echo[2]
        if self._part == side:
            return picture
        part = picture[self._top : self._top + self._part, self._left : self._left + self._part]
        return np.asarray(cv2.resize(part, (side, side), interpolation=how), np.uint8)

    def _zoomed_fan(self) -> NDArray[np.bool_]:
        """The largest fan of the picture's own apex within the part that is shown."""
        side, zoomed = self.layout.echo[2], self.layout.echo[2] / self._part
        y, x = np.mgrid[:side, :side]
        down = y / zoomed + self._top - self._loop.probe_px
        across = x / zoomed + self._left - side / 2
        bottom = self._top + self._part - self._loop.probe_px
        angle = np.arctan2(self._part / 2, bottom)
        r = np.hypot(across, down)
        nearest = (self._top - self._loop.probe_px) / np.cos(angle)
        return np.asarray((r >= nearest) & (r < bottom) & (np.abs(across) <= down * np.tan(angle)))

    def _draw_still(self) -> Picture:
        layout, loop, rng = self.layout, self._loop, self._rng
        width, height = layout.size
        picture = np.zeros((height, width, 3), np.uint8)
        for x, y, w, h in layout.panels:
            picture[y : y + h, x : x + w] = PANEL
        unit = height / 720
        if layout.band:
            cv2.rectangle(picture, (0, 0), (width, layout.band), (34, 38, 46), -1)
            draw_text(
                picture, f"SYNTHETIC^{loop.seed:05d}", (int(0.3 * width), int(layout.band * 0.7)), layout.ink, unit
            )
        if layout.menu:
            x, y, w, h = layout.menu
            cv2.rectangle(picture, (x, y), (x + w, y + h), (52, 56, 60), -1)
            for k in range(5):
                left, top = (x + 8 + k * w // 5, y + 8) if w > h else (x + 8, y + 8 + k * h // 5)
                right, bottom = (left + w // 5 - 16, y + h - 8) if w > h else (x + w - 8, top + h // 5 - 16)
                cv2.rectangle(picture, (left, top), (right, bottom), (92, 98, 110), -1)
        if layout.bar:
            x, y, w, h = layout.bar
            picture[y : y + h, x : x + w] = np.linspace(255, 0, h).astype(np.uint8)[:, None, None]
            cv2.rectangle(picture, (x - 1, y - 1), (x + w, y + h), GREY, 1)
        if layout.logo:
            draw_text(picture, layout.logo, (10, layout.band + int(34 * unit)), AMBER, 1.8 * unit, 2)
        lines = [
            "Adult Echo",
            f"{loop.fps:.0f}Hz",
            f"{loop.scan.depth:.1f}cm",
            f"2D {rng.integers(40, 90)}%",
            f"C {rng.integers(30, 65)}",
            f"P {'Low' if rng.random() < 0.5 else 'Med'}",
            "HGen",
            f"MI {rng.uniform(0.7, 1.5):.1f}",
        ]
        for k, line in enumerate(lines):
            draw_text(picture, line, (10, layout.band + int((70 + 20 * k) * unit)), layout.ink, unit)
        draw_text(
            picture,
            f"{loop.hr_bpm:.0f} bpm",
            (width - int(100 * unit), height - int(72 * unit)),
            layout.tracing_ink,
            unit,
        )
        x0, y0, x1, _ = self.echo
        tip = (x0 + x1) // 2 - int(0.1 * (x1 - x0))
        cv2.circle(picture, (tip, y0 + int(8 * unit)), max(2, int(5 * unit)), layout.tracing_ink, 1)
        if layout.ticks:
            self._draw_ticks(picture, unit)
        picture[self.sector] = 0
        return picture

    def _draw_ticks(self, picture: Picture, unit: float) -> None:
        """Ticks at their true depths, some longer, some with their depth in cm."""
        layout, row_mm = self.layout, self.spacing_mm[0]
        x0, y0, x1, y1 = self.echo
        right = layout.ticks == "right"
        at_x, label_x = (x1 + 6, 11) if right else (x0 - 14, -22)
        zoomed = layout.echo[2] / self._part
        face_y = y0 + (self._loop.probe_px - self._top) * zoomed
        for k in range(int(10 * self._loop.scan.depth / layout.tick_mm) + 1):
            reach = k * layout.tick_mm / row_mm
            if layout.dots:
                self._draw_dot(picture, face_y, reach, 1 if right else -1)
                continue
            y = round(face_y + reach)
            if not y0 <= y < y1:
                continue
            length = 8 if layout.long_every and k % layout.long_every == 0 else 4
            cv2.line(picture, (at_x, y), (at_x + length, y), layout.ink, 1)
            depth_cm = k * layout.tick_mm / 10
            if layout.label_cm and depth_cm % layout.label_cm == 0 and k:
                draw_text(picture, f"{depth_cm:.0f}", (at_x + label_x, y + 4), layout.ink, 0.8 * unit)

    def _draw_dot(self, picture: Picture, face_y: float, reach: float, side: int) -> None:
        x0, _, x1, _ = self.echo
        angle, aside = np.deg2rad(DOTS_DEG), DOTS_ASIDE * (x1 - x0)
        x = (x0 + x1) / 2 + side * (reach * np.sin(angle) + aside * np.cos(angle))
        y = face_y + reach * np.cos(angle) - aside * np.sin(angle)
        radius = max(1, round(len(picture) / 700))
        cv2.circle(picture, (round(x), round(y)), radius, self.layout.ink, -1)

    def _trace(self, picture: Picture, frame: SyntheticFrame) -> None:
        """The ECG sweeps from left to right and is wiped a little ahead of its head."""
        top, (width, height) = self.layout.tracing, self.layout.size
        strip = min(height - top - 4, 60)
        sweep, head = divmod(round(frame.number * self._ecg.step), width)
        xs = np.arange(width)
        for part, age in ((xs[:head], sweep), (xs[head + width // 25 :], sweep - 1)):
            if len(part) > 1:
                level = self._ecg.level[(part + age * width) % self._ecg.period]
                ys = np.round(top + strip * (0.85 - 0.75 * level))
                points = np.stack([part, ys], axis=1).astype(np.int32)
                cv2.polylines(picture, [points], False, self.layout.tracing_ink, 1)


@dataclass(frozen=True)
class _Ecg:
    level: NDArray[np.float64]
    period: int
    step: float


def _ecg(width: int, loop: SyntheticLoop) -> _Ecg:
    """One beat of an ECG at a sweep of 5 s a screen: P, QRS at end-diastole, T before end-systole."""
    period = max(8, round(width / 5 * 60 / loop.hr_bpm))
    t = np.arange(period) / period
    level = np.zeros(period)
    for centre, spread, height in (
        (0.0, 0.009, 1.0),
        (1.0, 0.009, 1.0),
        (0.03, 0.01, -0.22),
        (0.975, 0.008, -0.12),
        (0.3, 0.05, 0.25),
        (0.84, 0.03, 0.14),
    ):
        level += height * np.exp(-(((t - centre) / spread) ** 2))
    return _Ecg(level, period, period / loop.frames_per_beat)


def draw_text(picture: Picture, text: str, at: tuple[int, int], ink: Colour, unit: float, thickness: int = 1) -> None:
    """Write on an RGB picture; `unit` 1 is the size that suits a screen of 720 rows."""
    cv2.putText(picture, text, at, FONT, 0.5 * unit, ink, thickness, cv2.LINE_AA)
