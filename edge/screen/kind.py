"""What a screen shows beside, or instead of, one B-mode sector: then nothing is measured, and this says why.

`layout_problem` looks at where echo is on the screen, once for each new layout. `EchoWatch` looks at every frame inside
the sector only: colour means flow, stillness means a frozen scanner, however much the rest of the screen moves.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Frame
from edge.screen.rectangle import Rectangle, rectangle_of
from edge.screen.sector import Sector, SectorFinder, echo_areas

NOT_MEASURED = "nothing is measured"
SPECTRAL = f"SPECTRAL DOPPLER: {NOT_MEASURED}; go back to 2D"
M_MODE = f"M-MODE: {NOT_MEASURED}; go back to 2D"
SECOND_PICTURE = f"SECOND PICTURE: {NOT_MEASURED} on a split screen; show one"
COLOUR = f"COLOUR DOPPLER: {NOT_MEASURED}; switch colour off"
FROZEN = "PICTURE FROZEN: unfreeze the scanner to go on"
LINEAR = f"NO SECTOR PROBE: the picture is a rectangle, {NOT_MEASURED}; use a sector probe, in 2D, whole"
NO_FAN = "NO SECTOR: the visible echo has not the shape of an upright sector; check the gain, and that it is 2D"

TOP_WIDTH = 0.65
"""Mean width of a strip's upper quarter, as a share of its greatest; a sector's is half of that."""
STRIP_WIDTH, STRIP_HEIGHT, GAP = 0.35, 0.08, 0.1
"""Least width and height of a strip, and the widest gap between the waves of one, as shares of the screen."""
SECOND_AREA = 0.4
"""Least size of a second picture, as a share of the sector."""
MIN_FILLED = 0.15
"""Least share of its box that a strip's echo fills."""
ROW_VARIANCE = 0.45
SOLID_SHARE, SLANTED = 0.75, 0.9
"""A picture fills this share of its hull; waves do not. A hull that fills less than SLANTED of its box has slanted
sides: a sector, steered to one side."""
LINEAR_HEIGHT, LINEAR_WIDER = 0.45, 2.0
"""A linear probe's picture is higher than this share of the screen, and no wider than so many times its height; traces
of a Doppler or an M-mode run longer."""
FULL_WIDTH, FULL_HEIGHT = 0.72, 0.9
"""A trace that fills the screen is wider than high and than this share of the screen, and leaves a margin above or
below, where it writes its times; a picture cut out of its screen leaves none."""
ALONG, ACROSS = 0.43, 1.4
"""How much neighbours along a row differ, as a share of how much those along a column do: speckle lies between the
lines of an M-mode and the columns of a spectrum."""
FITS, FAN_IN_BOX = 0.8, 0.77
"""A sector's echo and the fan around it have at least this share in common, and its hull fills at most so much of its
box; waves and lines that a fan was put around differ in one of the two."""

WATCH_STEP = 7
VIVID, VIVID_GREY = 0.45, 50
"""A coloured sample: (highest - lowest channel) / highest, and its highest channel."""
MIN_FLOW, MAX_FLOW = 0.002, 0.7
"""Share of the sector's samples that are coloured when flow is shown; above it, the grey scale itself is tinted."""
FLOW_HOLD_S = 1.0
"""Flow comes and goes with the beat."""
STILL_S = 0.4
"""Echo may come at 2.5 frames a second on a screen that is sent at 60."""
MOVED_GREY, MOVED_SHARE = 6, 0.002
"""Less than this share of samples that differ by more than this is the noise of a still picture."""


def layout_problem(finder: SectorFinder, sector: Sector) -> str:
    """ "" for a screen with one sector, else what it shows.

    `finder` has seen the frames that `sector` was found in.
    """
    peak, rough, scale = finder.peak, finder.rough, finder.scale
    assert peak is not None
    assert rough is not None
    height, width = peak.shape
    areas = echo_areas(peak, rough)
    whole = sector.mask.astype(np.uint8)
    inside = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    margin = max(3, round(12 * scale))
    near = np.asarray(cv2.dilate(inside, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)), np.uint8)
    is_sector = sector.fan is not None and finder.visible is not None and _fits(finder.visible, inside)
    box = None if is_sector else rectangle_of(peak, rough)
    if box is not None and box.height >= LINEAR_HEIGHT * height and box.width < LINEAR_WIDER * box.height:
        return _rectangle_kind(peak, box)
    # A strip beside the sector, or one that was taken for it.
    for some in (areas & (near == 0), *([] if is_sector else [areas & near])):
        for x, y, w, h in _joined(some):
            part = areas[y : y + h, x : x + w]
            if w >= STRIP_WIDTH * width and h >= STRIP_HEIGHT * height and _is_strip(part):
                return _strip_kind(peak[y : y + h, x : x + w])
    second = max((int(areas[y : y + h, x : x + w].sum()) for x, y, w, h in _joined(areas & (near == 0))), default=0)
    if second >= SECOND_AREA * inside.sum():
        return SECOND_PICTURE
    return NO_FAN if sector.fan is None else ""


def _fits(visible: Frame, inside: Frame) -> bool:
    """Whether echo (HxW 0/1) has the shape of the sector that was found around it, however dark parts of it are."""
    x, y, w, h = cv2.boundingRect(visible)
    in_common = float((visible & inside).sum()) / max(1.0, float((visible | inside).sum()))
    return in_common >= FITS and _hull_area(visible[y : y + h, x : x + w]) <= FAN_IN_BOX * w * h


def _rectangle_kind(peak: Frame, box: Rectangle) -> str:
    """A linear probe's picture, or a trace that fills the screen."""
    height, width = peak.shape
    echo = peak[box.y : box.y + box.height, box.x : box.x + box.width].astype(np.int16)
    texture = float(np.abs(np.diff(echo, axis=1)).mean()) / max(1e-3, float(np.abs(np.diff(echo, axis=0)).mean()))
    if box.width < box.height:
        return LINEAR
    if texture < ALONG:
        return M_MODE
    if texture > ACROSS:
        return SPECTRAL
    if box.width > FULL_WIDTH * width and box.height < FULL_HEIGHT * height:
        return _strip_kind(peak[box.y : box.y + box.height, box.x : box.x + box.width])
    return LINEAR


def _strip_kind(strip: Frame) -> str:
    """The lines of an M-mode run along the strip: most of its variance is between rows."""
    return M_MODE if float(strip.mean(1).var()) > ROW_VARIANCE * float(strip.var()) else SPECTRAL


def _joined(areas: Frame) -> list[list[int]]:
    """Boxes (x, y, width, height) of areas (HxW 0/1), those side by side joined over gaps: the waves of one strip."""
    width = areas.shape[1]
    gap = cv2.getStructuringElement(cv2.MORPH_RECT, (round(GAP * width), 1))
    padded = cv2.copyMakeBorder(areas, 0, 0, width, width, cv2.BORDER_CONSTANT, value=0)
    closed = np.ascontiguousarray(cv2.morphologyEx(padded, cv2.MORPH_CLOSE, gap)[:, width:-width])
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    return [row[:4] for row in stats[1:].tolist()]


def _is_strip(part: Frame) -> bool:
    """Whether what a box (HxW 0/1) holds is as wide at its top as anywhere; a sector is narrow there."""
    if part.mean() < MIN_FILLED or (_solid(part) and _hull_area(part) < SLANTED * part.size):
        return False
    lit = part > 0
    extents = np.where(lit.any(1), lit.shape[1] - lit.argmax(1) - lit[:, ::-1].argmax(1), 0)
    return bool(extents[: max(1, len(extents) // 4)].mean() > TOP_WIDTH * extents.max())


def _solid(part: Frame) -> bool:
    """Whether what a box (HxW 0/1) holds is one picture without gaps."""
    return bool(part.sum() > SOLID_SHARE * _hull_area(part))


def _hull_area(part: Frame) -> float:
    points = cv2.findNonZero(part)
    # Of pixels, not of their centres.
    return float(cv2.contourArea(cv2.convexHull(points))) + sum(part.shape) if points is not None else 0.0


class EchoWatch:
    """Is the picture inside a sector grey, and does it move? One thread looks at every frame."""

    def __init__(self, sector: Sector, freeze_s: float) -> None:
        self._freeze_s = freeze_s
        self._inside = sector.mask[::WATCH_STEP, ::WATCH_STEP]
        self._before: NDArray[np.uint8] | None = None
        self._flow_s = -np.inf
        self._moved_s = -np.inf

    def flow(self, image: Frame, now_s: float) -> str:
        """ "" for a grey picture, else that it shows flow."""
        if image.ndim == 3:
            # Channel by channel: numpy's largest of three neighbours takes five times as long.
            red, green, blue = (image[::WATCH_STEP, ::WATCH_STEP, channel][self._inside] for channel in range(3))
            highest, lowest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
            bright = highest > VIVID_GREY
            vivid = np.count_nonzero(bright & (highest - lowest > VIVID * highest))
            if vivid > MIN_FLOW * len(highest) and vivid < MAX_FLOW * np.count_nonzero(bright):
                self._flow_s = now_s
        return COLOUR if now_s - self._flow_s < FLOW_HOLD_S else ""

    def look(self, image: Frame, now_s: float) -> str:
        """ "" for a moving grey picture, else what is wrong. `image` HxW or HxWx3 RGB of the sector's size."""
        one = image[..., 1] if image.ndim == 3 else image
        samples = one[::WATCH_STEP, ::WATCH_STEP][self._inside]
        if self._before is None or self._has_moved(samples, self._before):
            self._before, self._moved_s = samples, now_s
        flow = self.flow(image, now_s)
        if flow:
            return flow
        return FROZEN if now_s - self._moved_s >= self._freeze_s else ""

    @staticmethod
    def _has_moved(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> bool:
        differs = np.maximum(now, before) - np.minimum(now, before) > MOVED_GREY
        return bool(np.count_nonzero(differs) > MOVED_SHARE * len(now))
