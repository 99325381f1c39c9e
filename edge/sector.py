"""Find the ultrasound sector on a scanner's screen, leaving out text, depth ticks and colour bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.preprocess import Box, Frame, square_around

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
HALF_ANGLES = np.deg2rad(np.arange(15, 61, 1.0))


@dataclass(frozen=True)
class Fan:
    """A phased-array or convex sector, symmetric about the vertical: pixels of the frame, radians."""

    apex: tuple[float, float]
    inner_radius: float
    radius: float
    half_angle: float


@dataclass(frozen=True)
class Sector:
    """Where the echo is: `box` is the square that networks see, `mask` (HxW bool) the pixels inside the sector.

    `fan` is None where the shape is none (then `mask` is the convex hull of what is visible).
    """

    box: Box
    mask: NDArray[np.bool_]
    fan: Fan | None = None


def find_sector(frames: Sequence[Frame], region: tuple[int, int, int, int] | None = None) -> Sector:
    """Locate the sector from one or more frames of the same size (HxW or HxWx3 RGB uint8).

    More frames see more of a moving picture's dark parts: 8 to 16 spread over a beat are enough.
    `region` (x0, y0, x1, y1) restricts the search, as DICOM's ultrasound regions do.
    Raises SourceError where no connected bright area of a plausible size is visible.
    """
    height, width = frames[0].shape[:2]
    x0, y0, x1, y1 = region or (0, 0, width, height)
    scale = min(1.0, WORK_PX / max(x1 - x0, y1 - y0))
    peak = np.max([_echo_grey(frame[y0:y1, x0:x1], scale) for frame in frames], axis=0)
    peak = cv2.GaussianBlur(peak, (3, 3), 0)
    black = int(np.bincount(peak.ravel(), minlength=DARK)[:DARK].argmax())
    best: tuple[float, Points, Fan | None] | None = None
    for grey_level in VISIBLE_GREYS:
        hull = _visible_hull(peak > black + grey_level)
        if hull is None:
            continue
        agreement, fan = _fit_fan(hull, peak.shape)
        if best is None or agreement > best[0]:
            best = (agreement, hull, fan)
        if agreement >= GOOD_AGREEMENT:
            break
    if best is None:
        raise SourceError(
            f"no ultrasound sector is visible in a {width}x{height} picture; "
            "check that the scanner shows a B-mode image and is not frozen on a menu"
        )
    agreement, hull, fan = best
    if fan is None or agreement < MIN_AGREEMENT:
        filled = np.zeros((height, width), np.uint8)
        outline = np.round((hull + 0.5) / scale - 0.5 + (x0, y0)).astype(np.int32)
        cv2.fillConvexPoly(filled, outline, 1)
        return Sector(_box_of(filled > 0), filled > 0)
    apex = ((fan.apex[0] + 0.5) / scale - 0.5 + x0, (fan.apex[1] + 0.5) / scale - 0.5 + y0)
    fan = Fan(apex, fan.inner_radius / scale, fan.radius / scale, fan.half_angle)
    mask = _fan_mask(fan, (height, width))
    return Sector(_box_of(mask), mask, fan)


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


def _visible_hull(visible: NDArray[np.bool_]) -> Points | None:
    """Convex hull (N x 2, pixels) of the largest solid visible area, or None where there is none."""
    area = visible.astype(np.uint8)
    # Text strokes, ticks and frames of menus are thinner than 5 px at this scale, or stand apart.
    solid = cv2.morphologyEx(area, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < MIN_AREA_FRACTION * area.size:
        return None
    # The opening rounds the corners of a fan off: take them back.
    component = np.asarray(cv2.dilate((labels == largest).astype(np.uint8), np.ones((5, 5), np.uint8)), np.uint8) & area
    contours, _ = cv2.findContours(component, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)
    hull: Points = cv2.convexHull(outline)[:, 0].astype(np.float64)
    return hull


def _fit_fan(hull: Points, shape: tuple[int, ...]) -> tuple[float, Fan | None]:
    """The smallest symmetric fan around a hull and the share of it that the hull fills (0 where none fits).

    For each half angle the edges are the hull's supporting lines. Symmetry recovers a flank too dark to be seen:
    the edges next to the transducer are visible in every picture.
    """
    filled = cv2.contourArea(hull.astype(np.float32))
    frame = np.array([[0, 0], [shape[1], 0], [shape[1], shape[0]], [0, shape[0]]], np.float32)
    x, y = hull.T
    best: tuple[float, Fan | None] = (0.0, None)
    for half_angle in HALF_ANGLES:
        cos, sin = np.cos(half_angle), np.sin(half_angle)
        left, right = (x * cos + y * sin).min() + INSET, (x * cos - y * sin).max() - INSET
        apex_x, apex_y = (left + right) / (2 * cos), (left - right) / (2 * sin)
        distance = np.hypot(x - apex_x, y - apex_y)
        # The probe's face is an arc, so the hull's highest point is its deepest visible one.
        inner = max(0.0, float(y.min() + INSET - apex_y))
        if inner > MAX_INNER * distance.max():
            continue
        fan = Fan((float(apex_x), float(apex_y)), inner, float(distance.max() - INSET), float(half_angle))
        area, _ = cv2.intersectConvexConvex(_fan_polygon(fan), frame)
        agreement = filled / area if area else 0.0
        if agreement > best[0]:
            best = (min(1.0, float(agreement)), fan)
    return best


def _fan_polygon(fan: Fan) -> NDArray[np.float32]:
    """The fan's outline, its inner arc replaced by a chord so that it stays convex."""
    angles = np.linspace(-fan.half_angle, fan.half_angle, 33)
    arc = np.stack([np.sin(angles), np.cos(angles)], axis=1) * fan.radius + fan.apex
    half_chord = fan.inner_radius * np.tan(fan.half_angle)
    top = fan.apex[1] + fan.inner_radius
    chord = [(fan.apex[0] + half_chord, top), (fan.apex[0] - half_chord, top)]
    return np.vstack([arc, chord]).astype(np.float32)


def _fan_mask(fan: Fan, shape: tuple[int, int]) -> NDArray[np.bool_]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    dx, dy = x - fan.apex[0], y - fan.apex[1]
    within = (np.abs(dx) <= dy * np.tan(fan.half_angle)) & (dy >= fan.inner_radius)
    return np.asarray(within & (dx * dx + dy * dy <= fan.radius**2))


def _box_of(mask: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return square_around(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
