"""Screens that show something else than one B-mode sector: colour and spectral Doppler, M-mode, two pictures, a page.

What is measured on B-mode must not be measured on these: they test that they are recognised.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.errors import SourceError
from edge.synth.cine import SyntheticFrame, SyntheticLoop
from edge.synth.curves import texture
from edge.synth.screen import GREY, PANEL, WHITE, Layout, Picture, Screen, draw_text
from edge.synth.settings import KIND_STREAM

KINDS = ("b-mode", "colour", "spectral", "m-mode", "dual", "page")
SWEEP_S = 4.0
"""Time that a strip shows."""
STRIP_SHARE = 0.42
"""Share of the screen's height that a strip takes; its duplex picture is above."""


class KindScreen:
    """A Screen of another kind: `compose(frame)` as there. Seeded by the loop's seed.

    kind is one of KINDS. Strips sweep behind a moving gap or scroll to the left; a few fill the screen, without a
    duplex picture (`is_alone`). Raises SourceError for another kind.
    """

    def __init__(self, layout: Layout, loop: SyntheticLoop, kind: str) -> None:
        if kind not in KINDS:
            raise SourceError(f"'{kind}' is not a kind of screen; the kinds are {', '.join(KINDS)}")
        self.kind, self.layout, self._loop = kind, layout, loop
        self.screen = Screen(layout, loop)
        rng = self._rng = np.random.default_rng([loop.seed, KIND_STREAM])
        self._scrolls, self.is_alone = bool(rng.random() < 0.5), bool(rng.random() < 0.25)
        self._strip: Picture | None = None
        width, height = layout.size
        top = layout.band + 8 if self.is_alone else round((1 - STRIP_SHARE) * height)
        left, right = round(0.1 * width), round(0.88 * width)
        bottom = (layout.tracing or height - round(0.1 * height)) - 6
        self._place = (left, top, right, bottom)
        if kind == "colour":
            self._prepare_colour()
        elif kind in ("spectral", "m-mode"):
            self._strip = self._spectral() if kind == "spectral" else self._m_mode()

    def compose(self, frame: SyntheticFrame) -> Picture:
        """The whole screen, height x width x 3 RGB uint8."""
        if self.kind == "page":
            return self._page()
        picture = self.screen.compose(frame)
        if self.kind == "colour":
            self._draw_colour(picture, frame)
        elif self.kind == "dual":
            self._draw_dual(picture, frame)
        elif self._strip is not None:
            self._draw_duplex(picture, frame, self._strip)
        return picture

    def _prepare_colour(self) -> None:
        """The box of a colour scan: a part of the fan; the velocity in it, -1 to 1, before the beat moves it."""
        side = self._loop.size_px
        y, x = np.mgrid[:side, :side].astype(np.float32)
        angle, depth = np.arctan2(x - side / 2, y + 1), np.hypot(x - side / 2, y) / side
        half, low, high = self._rng.uniform(0.2, 0.38), self._rng.uniform(0.25, 0.4), self._rng.uniform(0.7, 0.9)
        self._box = (np.abs(angle) < half) & (depth > low) & (depth < high) & self._loop.sector
        self._velocity = cv2.GaussianBlur(
            texture(self._rng, (side, side), (side / 9, side / 9)).astype(np.float32), (0, 0), 3
        )

    def _draw_colour(self, picture: Picture, frame: SyntheticFrame) -> None:
        x0, y0, x1, y1 = self.screen.echo
        window = picture[y0:y1, x0:x1]
        phase = 2 * np.pi * frame.phase
        velocity = self._velocity * (0.6 + 0.4 * np.cos(phase)) + 0.15 * np.sin(phase)
        flow = self._box & (cv2.GaussianBlur(frame.image, (0, 0), 3) < 90) & (np.abs(velocity) > 0.25)
        strength = np.clip(np.abs(velocity) * 160, 60, 255).astype(np.uint8)
        towards = velocity > 0
        zero = np.zeros_like(strength)
        coloured = np.stack(
            [np.where(towards, strength, zero), strength // 4, np.where(towards, zero, strength)], axis=2
        )
        np.copyto(window, coloured, where=flow[:, :, None])
        outline, _ = cv2.findContours(self._box.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(window, outline, -1, WHITE, 1)

    def _draw_dual(self, picture: Picture, frame: SyntheticFrame) -> None:
        """Two halves: the running picture, and one that stands (end-diastole)."""
        width = self.layout.size[0]
        self._clear(picture)
        side = min(self._loop.size_px, round(0.46 * width))
        top = self.screen.echo[1] + 10
        for left, image in ((round(0.03 * width), frame.image), (round(0.51 * width), self._loop.frame(0).image)):
            small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
            picture[top : top + side, left : left + side] = small[: picture.shape[0] - top, :, None]

    def _draw_duplex(self, picture: Picture, frame: SyntheticFrame, strip: Picture) -> None:
        left, top, right, bottom = self._place
        self._clear(picture)
        if not self.is_alone:
            side = top - self.layout.band - 12
            middle = self.layout.size[0] // 2 - side // 2
            small = cv2.resize(frame.image, (side, side), interpolation=cv2.INTER_AREA)
            picture[self.layout.band + 6 : self.layout.band + 6 + side, middle : middle + side] = small[:, :, None]
        width = right - left
        head = round(frame.time_s / SWEEP_S * width)
        columns = np.arange(width)
        if self._scrolls:
            shown = strip[:, (columns + head) % strip.shape[1]]
        else:
            sweep, at = divmod(head, width)
            shown = strip[
                :, np.where(columns < at, columns + sweep * width, columns + (sweep - 1) * width) % strip.shape[1]
            ]
            shown[:, at : at + max(3, width // 60)] = 0
        window = picture[top:bottom, left:right]
        window[:] = shown[:, :, None]
        if self.kind == "spectral":
            window[round(self._baseline * len(window))] = GREY
        cv2.rectangle(picture, (left - 1, top - 1), (right, bottom), GREY, 1)

    def _spectral(self) -> Picture:
        """Grey strip of velocities over time: two waves a beat on one side of the baseline, one on the other, noise."""
        left, top, right, bottom = self._place
        height, width = bottom - top, right - left
        u = self._rng.uniform
        period = width * 60 / self._loop.hr_bpm / SWEEP_S
        columns = round(period * max(1, round(width / period)))
        self._baseline = u(0.35, 0.65)
        t = np.arange(columns) / period % 1
        peaks = [(u(0.5, 0.9), 0.55, 0.07), (u(0.3, 0.7), 0.85, 0.05), (-u(0.3, 0.9), 0.2, 0.08)]
        rows = (self._baseline - (np.arange(height) + 0.5) / height)[:, None] / max(self._baseline, 1 - self._baseline)
        level = np.zeros((height, columns))
        for top_velocity, at, spread in peaks:
            envelope = top_velocity * np.exp(-0.5 * ((t - at) / spread) ** 2)[None]
            inside = (rows * np.sign(top_velocity) > 0.02) & (np.abs(rows) < np.abs(envelope))
            level = np.maximum(level, inside * (110 + 120 * np.abs(rows) / np.maximum(np.abs(envelope), 1e-3)))
        noise = self._rng.gamma(1.0, 1.0, level.shape)
        level = (level + u(4, 18)) * cv2.GaussianBlur(noise, (0, 0), 1.2)
        return np.clip(level, 0, 255).astype(np.uint8)

    def _m_mode(self) -> Picture:
        """Grey strip of one scan line over the beat, from real frames of the loop."""
        left, top, right, bottom = self._place
        height, width = bottom - top, right - left
        count = self._loop.frames_per_beat
        at = round(self._loop.size_px * self._rng.uniform(0.44, 0.56))
        step = max(1, count // 24)
        lines = np.stack([self._loop.frame(i).image[:, at] for i in range(0, count, step)], axis=1)
        lines = lines[np.flatnonzero(self._loop.sector[:, at])]
        period = round(width * 60 / self._loop.hr_bpm / SWEEP_S)
        beat = cv2.resize(lines, (period, height), interpolation=cv2.INTER_LINEAR)
        return np.tile(np.asarray(beat, np.uint8), (1, max(1, round(width / period))))

    def _page(self) -> Picture:
        """A worklist: a heading, rows of text, buttons, one row chosen."""
        layout = self.layout
        width, height = layout.size
        dark = self._loop.seed % 2 == 0
        paper, ink = ((18, 20, 24), WHITE) if dark else ((222, 224, 228), (20, 20, 20))
        picture = np.full((height, width, 3), paper, np.uint8)
        unit, rng = height / 720, np.random.default_rng([self._loop.seed, KIND_STREAM, 1])
        cv2.rectangle(picture, (0, 0), (width, round(0.07 * height)), PANEL, -1)
        draw_text(picture, "WORKLIST", (20, round(0.05 * height)), WHITE, 1.4 * unit)
        step = max(14, round(30 * unit))
        for number, y in enumerate(range(round(0.13 * height), round(0.85 * height), step)):
            if number == 3:
                cv2.rectangle(picture, (10, y - step // 2), (width - 10, y + step // 3), (60, 90, 150), -1)
            words = [
                f"SYN{rng.integers(10**6):06d}",
                "ECHO ADULT",
                f"{rng.integers(8, 18)}:{rng.integers(10, 60)}",
                "Dr. N. N.",
            ]
            for k, word in enumerate(words):
                draw_text(picture, word, (20 + k * width // 4, y), ink, unit)
        for k in range(4):
            left = 20 + k * width // 4
            cv2.rectangle(picture, (left, round(0.9 * height)), (left + width // 5, round(0.96 * height)), GREY, -1)
        return picture

    def _clear(self, picture: Picture) -> None:
        """Take the B-mode picture with its ticks away."""
        x0, y0, x1, y1 = self.screen.echo
        picture[y0:y1, max(0, x0 - 40) : x1 + 40] = 0
