"""Find the ultrasound sector on a scanner's screen, leaving out text, depth ticks and colour bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.preprocess import Box, Frame, as_frame, square_around

Points = NDArray[np.float64]

WORK_PX = 320
"""Longest side of the copy that is analysed."""
VISIBLE_GREYS = (2, 4, 7, 12, 20)
"""Grey levels above the screen's black that may part echo from nothing; the lowest that yields a fan is taken.

A portable scanner draws the flanks of the sector at 2-4 of 255; a noisy analogue grabber's black reaches 10.
"""
DARK = 32
"""The screen's black is the most frequent grey level below this."""
COLOURED = 40
"""Largest difference between channels of a grey pixel; above it the pixel belongs to the screen's own marks."""
MIN_AREA_FRACTION = 0.04
GOOD_AGREEMENT = 0.93
MIN_AGREEMENT = 0.75
"""Share of the fitted fan that the visible hull fills."""
MAX_INNER = 0.5
"""Largest share of the radius above the probe's face; a rectangle would fit a fan with a very distant apex."""
INSET = 1.0
"""Blurring and shrinking move the visible edge outwards by about a pixel of the working size."""
OUTSIDE, DEEP_DARK = 3.0, 0.15
BLOCK_PX, HALO_SHARE, MIN_RIM_PX = 8, 0.01, 0.4
"""Compression rings within blocks of this many pixels of the frame: the brightest of many frames has a rim around the
echo. Where a higher grey level only takes such a rim off, on average of MIN_RIM_PX at least, it shows the edge."""
FLAT, MIN_FLAT_FRACTION, MIN_PLAIN_FRACTION = 3, 0.01, 0.002
"""Echo has speckle: an area of this share of the picture within which neighbours differ no more is a panel or a bar;
of the smaller one, a button. The brightest of many frames of speckle may be as even: the latest frame must be, too."""
FRAME_PX = 15
"""Frames between buttons and panels are narrower at the working size, and no echo."""
SOLID = np.ones((5, 5), np.uint8)
"""Text strokes, ticks and frames of menus are thinner than this at the working size, or stand apart."""
LIT_PX = 8
"""Side of the blocks, at the working size, in which the screen is lit or not: speckle comes and goes, a block of it
stays.
"""
STRIDE = 3
INSIDE_REGION = 0.9
FIRST_STEP_PX, LAST_STEP_PX = 8.0, 0.25
CLOSE_PX = 41
START_ANGLES = np.deg2rad(np.arange(20, 56, 5.0))
HALF_ANGLES = np.deg2rad(np.arange(15, 61, 1.0))


@dataclass(frozen=True)
class Fan:
    """A phased-array or convex sector, symmetric about the vertical: pixels of the frame, radians. It opens downwards,
    or upwards where the picture stands `upside_down`."""

    apex: tuple[float, float]
    inner_radius: float
    radius: float
    half_angle: float
    upside_down: bool = False


@dataclass(frozen=True)
class Sector:
    """Where the echo is: `box` is the square that networks see, `mask` (HxW bool) the pixels inside the sector.

    `fan` is None where the shape is none (then `mask` is the convex hull of what is visible).
    """

    box: Box
    mask: NDArray[np.bool_]
    fan: Fan | None = None

    def upside_down(self) -> Sector:
        """The same on a picture turned over, its first row the last."""
        height = len(self.mask)
        mask = np.ascontiguousarray(self.mask[::-1])
        if self.fan is None:
            return Sector(box_of(mask), mask)
        x, y = self.fan.apex
        return Sector(
            box_of(mask), mask, replace(self.fan, apex=(x, height - 1 - y), upside_down=not self.fan.upside_down)
        )

    @property
    def extent(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) of the smallest rectangle around the mask, the end exclusive."""
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    def spacing_from_depth(self, depth_cm: float) -> tuple[float, float]:
        """(row, column) mm per pixel when the imaging depth is known: it runs from the probe's face to the far arc."""
        rows = np.flatnonzero(self.mask.any(1))
        pixels = self.fan.radius - self.fan.inner_radius if self.fan is not None else float(np.ptp(rows) + 1)
        return (10 * depth_cm / pixels, 10 * depth_cm / pixels)


_Found = tuple[float, Points, Fan | None, Frame]
"""Agreement, hull, the fan around it, visible area."""


def find_sector(frames: Sequence[Frame], region: tuple[int, int, int, int] | None = None) -> Sector:
    """Locate the sector from one or more frames of the same size (HxW or HxWx3 RGB uint8).

    More frames see more of a moving picture's dark parts: 8 to 16 spread over a beat are enough.
    `region` (x0, y0, x1, y1) restricts the search, as DICOM's ultrasound regions do.
    Raises SourceError where no connected bright area of a plausible size is visible.
    """
    finder = SectorFinder(region)
    for frame in frames:
        finder.add(frame)
    return finder.find()


class SectorFinder:
    """Takes frames of one size one by one and keeps `peak`, their brightest values at the working size (`scale`).

    `rough` (HxW uint8) is how much neighbours differ in the latest of them, `changed` the share of the lit blocks that
    came or went with it: few as a heart beats, most where a menu opens or closes. Of a dark picture's few bright spots
    it says nothing. `visible` (HxW 0/1) is the echo that `find` put its sector around.
    """

    def __init__(self, region: tuple[int, int, int, int] | None = None) -> None:
        self.frames = 0
        self.scale = 1.0
        self.peak: Frame | None = None
        self.rough: Frame | None = None
        self.changed = 0.0
        self.visible: Frame | None = None
        self._lit: NDArray[np.bool_] | None = None
        self._region = region
        self._shape: tuple[int, int] = (0, 0)

    def add(self, frame: Frame) -> None:
        """Look at one more frame. ValueError for an array that is none (see `edge.preprocess.as_frame`)."""
        frame = as_frame(frame)
        height, width = self._shape = (frame.shape[0], frame.shape[1])
        self.scale = min(1.0, WORK_PX / max(width, height))
        grey = _echo_grey(frame, self.scale)
        self.rough = _differences(grey)
        lit, before = _lit_blocks(grey), self._lit
        if before is not None:
            self.changed = float((lit ^ before).sum() / max((lit | before).sum(), MIN_AREA_FRACTION * lit.size))
        self._lit = lit
        # A copy: a small grey frame is its own working copy, and the caller's.
        self.peak = grey.copy() if self.peak is None else np.maximum(self.peak, grey, out=self.peak)
        self.frames += 1

    def find(self) -> Sector:
        """The sector of all frames so far. Raises SourceError where none is visible, ValueError without frames."""
        if self.peak is None:
            raise ValueError("no frame was added")
        if self._region is None:
            return self._find(self.peak)
        # Scanners state the region a few pixels short of the sector, and a crop hides where the picture's black begins:
        # the region only decides which of several pictures on the screen is meant.
        x0, y0, x1, y1 = self._region
        try:
            whole = self._find(self.peak)
        except SourceError:
            whole = None
        if whole is not None and whole.mask[y0:y1, x0:x1].sum() > INSIDE_REGION * whole.mask.sum():
            return whole
        x0, y0, x1, y1 = (round(edge * self.scale) for edge in self._region)
        cropped = np.zeros_like(self.peak)
        cropped[y0:y1, x0:x1] = self.peak[y0:y1, x0:x1]
        return self._find(cropped)

    def _find(self, peak: Frame) -> Sector:
        assert self.rough is not None
        (height, width), scale = self._shape, self.scale
        peak = smooth(peak)
        black = black_of(peak)
        peak = np.where(flat_areas(peak, self.rough, black), np.uint8(black), peak)
        best: _Found | None = None
        for number, grey_level in enumerate(VISIBLE_GREYS):
            found = _visible_area(peak > black + grey_level)
            if found is None:
                continue
            area, hull = found
            agreement, fan = _fit_fan(hull, peak.shape)
            if best is None or agreement > best[0]:
                best = (agreement, hull, fan, area)
            if agreement >= GOOD_AGREEMENT:
                if self.frames > 1:
                    levels = [black + level for level in VISIBLE_GREYS[number + 1 :]]
                    best = _without_halo(best, peak, levels, round(BLOCK_PX * scale))
                break
        if best is None:
            raise SourceError(
                f"no ultrasound sector is visible in a {width}x{height} picture; "
                "check that the scanner shows a B-mode image and is not frozen on a menu"
            )
        agreement, hull, fan, area = best
        self.visible = area
        if fan is None or agreement < MIN_AGREEMENT:
            filled = np.zeros((height, width), np.uint8)
            outline = np.round((hull + 0.5) / scale - 0.5).astype(np.int32)
            cv2.fillConvexPoly(filled, outline, 1)
            return Sector(box_of(filled > 0), filled > 0)
        fan = _refined(fan, hull, area)
        apex = ((fan.apex[0] + 0.5) / scale - 0.5, (fan.apex[1] + 0.5) / scale - 0.5)
        fan = Fan(apex, fan.inner_radius / scale, fan.radius / scale, fan.half_angle)
        mask = fan_mask(fan, (height, width))
        return Sector(box_of(mask), mask, fan)


def _refined(fan: Fan, hull: Points, area: Frame) -> Fan:
    """The fan near a first one, or near one as wide as START_ANGLES, that differs least from the visible area (HxW
    0/1).

    The first fan encloses every visible pixel, also a caption's that touches the echo; here stray pixels cost only
    their own area. Darkness inside counts fully at the top, where every scanner shows echo, and DEEP_DARK at depth,
    where the flanks fade; echo outside the fan counts OUTSIDE times.
    """
    y, x = (axis.astype(np.float32) for axis in np.mgrid[: area.shape[0] : STRIDE, : area.shape[1] : STRIDE])
    # Blurring and shrinking moved the visible edge outwards by a pixel.
    visible = cv2.erode(area, np.ones((3, 3), np.uint8))[::STRIDE, ::STRIDE] > 0
    rows = np.flatnonzero(visible.any(1)) * STRIDE
    depth = np.clip((y - rows[0]) / max(1, rows[-1] - rows[0]), 0, 1)
    dark_cost = 1 - (1 - DEEP_DARK) * np.clip(1.5 * depth, 0, 1)

    def cost(at: NDArray[np.float64]) -> float:
        dx, dy = x - at[0], y - at[1]
        squared = dx * dx + dy * dy
        inside = (np.abs(dx) <= dy * np.tan(at[4])) & (squared <= at[3] ** 2) & (squared >= at[2] ** 2)
        return float(dark_cost[inside & ~visible].sum() + OUTSIDE * np.count_nonzero(visible & ~inside))

    starts = [
        np.array([*f.apex, f.inner_radius, f.radius, f.half_angle]) for f in (fan, *_enclosing(hull, START_ANGLES))
    ]
    at = min(starts, key=cost)
    least = cost(at)
    moves = _moves()
    step = FIRST_STEP_PX
    while step >= LAST_STEP_PX:
        candidates = [at + move * step for move in moves]
        candidates = [
            c for c in candidates if 0 <= c[2] < MAX_INNER * c[3] and HALF_ANGLES[0] <= c[4] <= HALF_ANGLES[-1]
        ]
        costs = [cost(candidate) for candidate in candidates]
        if costs and min(costs) < least:
            least, at = min(costs), candidates[int(np.argmin(costs))]
        else:
            step /= 2
    return Fan((float(at[0]), float(at[1])), float(at[2]), float(at[3]), float(at[4]))


def _moves() -> list[NDArray[np.float64]]:
    """Directions of the search in (apex x, apex y, inner radius, radius, half angle): each parameter alone, and those
    pairs that keep an edge of the fan where it is."""
    angle = np.deg2rad(0.5)
    single = [(1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, angle)]
    paired = [
        (0, 1, -1, -1, 0),
        (0, 1, -1, -1, angle),
        (0, 1, 0, -1, 0),
        (0, 1, 0, 0, angle),
        (0, 0, 0, 1, angle),
        (0, 2, -2, -2, angle),
    ]
    moves = [np.array(move, np.float64) for move in (*single, *paired)]
    return moves + [-move for move in moves]


def _echo_grey(frame: Frame, scale: float) -> Frame:
    """Grey levels at the working size, with coloured pixels (icons, buttons, ECG trace) set to black."""
    if scale < 1:
        frame = np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    if frame.ndim == 2:
        return frame
    red, green, blue = cv2.split(frame)
    highest = np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)
    lowest = cv2.min(cv2.min(red, green), blue)
    highest[highest - lowest > COLOURED] = 0
    return highest


def _lit_blocks(grey: Frame) -> NDArray[np.bool_]:
    """Which blocks of LIT_PX x LIT_PX hold a pixel brighter than DARK; the edges' rest counts to none."""
    rows, columns = (length // LIT_PX for length in grey.shape)
    blocks = grey[: rows * LIT_PX, : columns * LIT_PX].reshape(rows, LIT_PX, columns, LIT_PX)
    return np.asarray(blocks.max((1, 3)) > DARK)


def echo_areas(peak: Frame, rough: Frame) -> Frame:
    """HxW 0/1: solid areas with the texture of echo on a screen: no text, no panels. Both as of `SectorFinder`."""
    black = black_of(peak)
    plain = flat_areas(peak, rough, black, MIN_PLAIN_FRACTION).astype(np.uint8)
    closed = cv2.morphologyEx(plain, cv2.MORPH_CLOSE, np.ones((FRAME_PX, FRAME_PX), np.uint8))
    visible = (peak > black + VISIBLE_GREYS[-1]) & (cv2.dilate(closed, SOLID) == 0)
    return np.asarray(cv2.morphologyEx(visible.astype(np.uint8), cv2.MORPH_OPEN, SOLID), np.uint8)


def black_of(peak: Frame) -> int:
    """The grey level of a screen's black."""
    return int(np.bincount(peak.ravel(), minlength=DARK)[:DARK].argmax())


def _without_halo(found: _Found, peak: Frame, levels: Sequence[int], halo_px: int) -> _Found:
    """The same at the highest of some grey levels that only takes a rim of ringing off."""
    area, kernel = found[3], np.ones((2 * halo_px + 1, 2 * halo_px + 1), np.uint8)
    inner: tuple[Frame, Points] | None = None
    for level in levels:
        smaller = _visible_area(peak > level)
        if smaller is None:
            break
        lost = area & ~smaller[0]
        outside = lost & (cv2.dilate(smaller[0], kernel) == 0)
        contours, _ = cv2.findContours(area, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        rim_px = float(lost.sum()) / max(cv2.arcLength(c, True) for c in contours)
        if float(outside.sum()) > HALO_SHARE * float(area.sum()) or rim_px < MIN_RIM_PX:
            break
        inner, area = smaller, smaller[0]
    if inner is None:
        return found
    agreement, fan = _fit_fan(inner[1], peak.shape)
    return (agreement, inner[1], fan, inner[0]) if agreement >= GOOD_AGREEMENT else found


def smooth(grey: Frame) -> Frame:
    """Without the noise of single pixels."""
    return np.asarray(cv2.GaussianBlur(grey, (3, 3), 0), np.uint8)


def _differences(grey: Frame) -> Frame:
    """The largest difference of grey levels around each pixel."""
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(grey, kernel) - cv2.erode(grey, kernel), np.uint8)


def flat_areas(peak: Frame, rough: Frame, black: int, share: float = MIN_FLAT_FRACTION) -> NDArray[np.bool_]:
    """HxW bool: where the screen has large areas of one colour, or of a slow gradient, brighter than its black."""
    calm = (np.maximum(_differences(peak), rough) <= FLAT) & (peak > black + VISIBLE_GREYS[-2])
    _, labels, stats, _ = cv2.connectedComponentsWithStats(calm.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= share * peak.size
    large[0] = False
    return np.asarray(large[labels])


def _visible_area(visible: NDArray[np.bool_]) -> tuple[Frame, Points] | None:
    """(the largest solid visible area, holes filled, HxW 0/1; its convex hull, N x 2), or None where there is none."""
    area = visible.astype(np.uint8)
    solid = cv2.morphologyEx(area, cv2.MORPH_OPEN, SOLID)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < MIN_AREA_FRACTION * area.size:
        return None
    # The opening rounds the corners of a fan off: take them back.
    component = np.asarray(cv2.dilate((labels == largest).astype(np.uint8), SOLID), np.uint8) & area
    contours, _ = cv2.findContours(component, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)
    hull: Points = cv2.convexHull(outline)[:, 0].astype(np.float64)
    filled = np.zeros_like(area)
    cv2.drawContours(filled, [outline], -1, 1, cv2.FILLED)
    # Bays that shadows cut into the edge are part of the sector.
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (CLOSE_PX, CLOSE_PX))
    padded = cv2.copyMakeBorder(filled, CLOSE_PX, CLOSE_PX, CLOSE_PX, CLOSE_PX, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, reach)[CLOSE_PX:-CLOSE_PX, CLOSE_PX:-CLOSE_PX]
    return np.ascontiguousarray(closed, np.uint8), hull


def _fit_fan(hull: Points, shape: tuple[int, ...]) -> tuple[float, Fan | None]:
    """The smallest symmetric fan around a hull and the share of it that the hull fills (0 where none fits).

    For each half angle the edges are the hull's supporting lines. Symmetry recovers a flank too dark to be seen:
    the edges next to the transducer are visible in every picture.
    """
    filled = cv2.contourArea(hull.astype(np.float32))
    frame = np.array([[0, 0], [shape[1], 0], [shape[1], shape[0]], [0, shape[0]]], np.float32)
    best: tuple[float, Fan | None] = (0.0, None)
    for fan in _enclosing(hull, HALF_ANGLES):
        area, _ = cv2.intersectConvexConvex(_fan_polygon(fan), frame)
        agreement = filled / area if area else 0.0
        if agreement > best[0]:
            best = (min(1.0, float(agreement)), fan)
    return best


def _enclosing(hull: Points, half_angles: NDArray[np.float64]) -> list[Fan]:
    """The smallest symmetric fan of each half angle around a hull, without those whose apex is too far away."""
    x, y = hull.T
    fans = []
    for half_angle in half_angles:
        cos, sin = np.cos(half_angle), np.sin(half_angle)
        left, right = (x * cos + y * sin).min() + INSET, (x * cos - y * sin).max() - INSET
        apex_x, apex_y = (left + right) / (2 * cos), (left - right) / (2 * sin)
        distance = np.hypot(x - apex_x, y - apex_y)
        # The probe's face is an arc, so the hull's highest point is its deepest visible one.
        inner = max(0.0, float(y.min() + INSET - apex_y))
        if inner <= MAX_INNER * distance.max():
            fans.append(Fan((float(apex_x), float(apex_y)), inner, float(distance.max() - INSET), float(half_angle)))
    return fans


def _fan_polygon(fan: Fan) -> NDArray[np.float32]:
    """The fan's outline, its inner arc replaced by a chord so that it stays convex."""
    angles = np.linspace(-fan.half_angle, fan.half_angle, 33)
    arc = np.stack([np.sin(angles), np.cos(angles)], axis=1) * fan.radius + fan.apex
    half_chord = fan.inner_radius * np.tan(fan.half_angle)
    top = fan.apex[1] + fan.inner_radius
    chord = [(fan.apex[0] + half_chord, top), (fan.apex[0] - half_chord, top)]
    return np.vstack([arc, chord]).astype(np.float32)


def fan_mask(fan: Fan, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """HxW bool of the pixels inside a fan, for a picture of `shape` (height, width)."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    dx, dy = x - fan.apex[0], (y - fan.apex[1]) * (-1 if fan.upside_down else 1)
    squared = dx * dx + dy * dy
    within = (np.abs(dx) <= dy * np.tan(fan.half_angle)) & (squared >= fan.inner_radius**2)
    return np.asarray(within & (squared <= fan.radius**2))


def box_of(mask: NDArray[np.bool_]) -> Box:
    """The square around the True pixels of an HxW mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return square_around(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
