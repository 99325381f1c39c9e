"""Eight wall regions of an apical view from a segmentation mask (regional-quality paper, appendix A)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.borders import endocardial_arc, epicardial_arc, largest_contour, nearest, share_on, thirds
from edge.heart.plane import Turn
from edge.postprocess import LA, LV, MYOCARDIUM, NEXT_TO, pixels_of

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]

REGIONS = (
    "basal left",
    "mid left",
    "apical left",
    "apical right",
    "mid right",
    "basal right",
    "annulus left",
    "annulus right",
)
WALLS = {
    "A4C": ("septal", "lateral"),
    "A2C": ("inferior", "anterior"),
    "A3C": ("inferolateral", "anteroseptal"),
    "A5C": ("septal", "lateral"),
}
ANNULUS_RADIUS_MM = 2.0
TYPICAL_LV_LENGTH_MM = 85.0
"""Stands in for the scale where mm per pixel is unknown, for the size of the annulus discs only."""
MIN_LV_PX = 60
MIN_VISIBLE = 0.5
MIN_SLENDERNESS = 1.0
"""Long axis by annulus width; 400 of CAMUS's reference masks have 1.5 to 6.6, a short-axis view has less than 1."""
MIN_CAP = 0.75
"""Share of the endocardium around the apex that must have a wall."""
MIN_BALANCE = 0.4
"""Shorter by longer half of the endocardium; the same masks have 0.72 to 1. With one wall missing it is far less."""


@dataclass(frozen=True, kw_only=True)
class Regions:
    """labels HxW uint8: 0 none, 1-8 index+1 into REGIONS, clipped to the sector; `visible` 8 shares inside the sector.

    A region less than half inside the sector is excluded: its labels are 0. annulus (A, B), apex C, endocardium and
    epicardium are (x, y) pixel points, both borders running from A over the apex to B; A is on the image's left.
    """

    labels: Mask
    visible: NDArray[np.float64]
    annulus: tuple[tuple[float, float], tuple[float, float]]
    apex: tuple[float, float]
    endocardium: Points
    epicardium: Points

    @property
    def included(self) -> NDArray[np.bool_]:
        """8 bool: at least half inside the sector."""
        return self.visible >= MIN_VISIBLE

    def turned(self, turn: Turn) -> Regions:
        """The same regions in the picture flipped so; A stays the point that was on the left."""
        size_px = len(self.labels)
        left, right, apex = (
            (float(x), float(y)) for x, y in turn.points(np.array([*self.annulus, self.apex]), size_px)
        )
        return replace(
            self,
            labels=np.ascontiguousarray(turn.of(self.labels)),
            annulus=(left, right),
            apex=apex,
            endocardium=turn.points(self.endocardium, size_px),
            epicardium=turn.points(self.epicardium, size_px),
        )


@dataclass(frozen=True)
class NotMeasurable:
    """Why no regions could be found, in words for the screen."""

    reason: str


def region_names(view: str) -> tuple[str, ...]:
    """The eight names for a view, such as "basal septal"; left and right where the view is unknown."""
    walls = WALLS.get(view)
    if walls is None:
        return REGIONS
    return tuple(n.replace("left", walls[0]).replace("right", walls[1]) for n in REGIONS)


def find_regions(
    mask: Mask,
    spacing_mm: tuple[float, float] | None = None,
    sector: NDArray[np.bool_] | None = None,
) -> Regions | NotMeasurable:
    """Divide the myocardium of an apical mask (HxW uint8, 0-3) into six segments and two annulus discs.

    spacing_mm is (row, column); with None, pixels count as square and the disc radius comes from the LV's length.
    sector HxW bool marks the scan's area. Never raises for a uint8 mask: what cannot be measured says why.
    """
    scale = np.array((spacing_mm[1], spacing_mm[0]) if spacing_mm else (1.0, 1.0))
    wall = pixels_of(mask, MYOCARDIUM)
    inner = _inner_border(mask, wall, scale)
    if isinstance(inner, NotMeasurable):
        return inner
    left, right, apex = inner.points[0], inner.points[-1], inner.points[inner.apex_at]
    epicardium = epicardial_arc(mask, left, right, apex)
    if epicardium is None:
        return NotMeasurable("the outer border of the wall is not visible")
    labels = _segments(inner, epicardium, wall, scale)
    radius = ANNULUS_RADIUS_MM if spacing_mm else ANNULUS_RADIUS_MM * inner.length / TYPICAL_LV_LENGTH_MM
    axes = tuple(max(1, round(radius / s)) for s in scale)
    for index, point in ((7, left), (8, right)):
        cv2.ellipse(labels, (round(point[0]), round(point[1])), axes, 0, 0, 360, index, -1)
    visible = _clip_to_sector(labels, sector)
    return Regions(
        labels=labels,
        visible=visible,
        annulus=((float(left[0]), float(left[1])), (float(right[0]), float(right[1]))),
        apex=(float(apex[0]), float(apex[1])),
        endocardium=inner.points,
        epicardium=epicardium,
    )


@dataclass(frozen=True, kw_only=True)
class _Inner:
    """The endocardium: points from A over the apex to B, the apex's index, its distance from the annulus, and for each
    half the way along it from its first point (both as the scale has it)."""

    points: Points
    apex_at: int
    length: float
    halves: tuple[Points, Points]


def _inner_border(mask: Mask, wall: Mask, scale: Points) -> _Inner | NotMeasurable:
    """The endocardium of a mask, or what it lacks to be an apical view's."""
    outline = largest_contour(pixels_of(mask, LV))
    if outline is None or cv2.contourArea(outline.astype(np.float32)) < MIN_LV_PX:
        return NotMeasurable("no left ventricle found")
    if not wall.any():
        return NotMeasurable("no myocardium found")
    near_wall = np.asarray(cv2.dilate(wall, NEXT_TO), np.uint8)
    points = endocardial_arc(pixels_of(mask, LA), near_wall, outline)
    if points is None:
        return NotMeasurable("the mitral annulus is not visible")
    if len(points) < 12:
        return NotMeasurable("the myocardium does not follow the left ventricle")
    left, right = points[0], points[-1]
    from_base = np.hypot(*((points - (left + right) / 2) * scale).T)
    apex_at = int(np.argmax(from_base))
    if not 4 <= apex_at < len(points) - 4:
        return NotMeasurable("the apex is not visible")
    around = len(points) // 10
    if share_on(near_wall, points[max(0, apex_at - around) : apex_at + around + 1]) < MIN_CAP:
        return NotMeasurable("the apex is cut off: no wall is seen over it")
    steps = np.hypot(*(np.diff(points, axis=0) * scale).T)
    one, other = (np.concatenate([[0.0], np.cumsum(half)]) for half in (steps[:apex_at], steps[apex_at:]))
    if min(one[-1], other[-1]) < MIN_BALANCE * max(one[-1], other[-1]):
        return NotMeasurable("one wall of the left ventricle is missing")
    if from_base[apex_at] < MIN_SLENDERNESS * np.hypot(*((right - left) * scale)):
        return NotMeasurable("the left ventricle is too short for an apical view")
    return _Inner(points=points, apex_at=apex_at, length=float(from_base[apex_at]), halves=(one, other))


def _segments(inner: _Inner, epicardium: Points, wall: Mask, scale: Points) -> Mask:
    """Labels 1-6 on the wall: each half of the endocardium in thirds, joined to the nearest outer points."""
    apex_at = inner.apex_at
    cuts = [*thirds(inner.halves[0]), apex_at, *(apex_at + k for k in thirds(inner.halves[1]))]
    inner_at = [0, *cuts, len(inner.points) - 1]
    outer_at = [0, *nearest(epicardium, inner.points[cuts], scale), len(epicardium) - 1]
    labels = np.zeros(wall.shape, np.uint8)
    inner_px, outer_px = inner.points.astype(np.int32), epicardium.astype(np.int32)  # outlines of masks: whole numbers
    for index in range(6):
        inside = inner_px[inner_at[index] : inner_at[index + 1] + 1]
        outside = outer_px[outer_at[index] : outer_at[index + 1] + 1]
        cv2.fillPoly(labels, [np.concatenate([inside, outside[::-1]])], index + 1)
    cv2.bitwise_and(labels, wall, dst=labels)
    return labels


def _clip_to_sector(labels: Mask, sector: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Share of each region inside the sector. Clears, in place, what lies outside and regions mostly outside."""
    x, y, width, height = cv2.boundingRect(labels)
    part = labels[y : y + height, x : x + width]
    total = _areas(part)
    kept = part if sector is None else part * sector[y : y + height, x : x + width]
    if np.array_equal(kept, part):  # all of it inside, as nearly always
        return (total > 0).astype(np.float64)
    visible = _areas(kept) / np.maximum(total, 1)
    lookup = np.concatenate([[0], np.where(visible >= MIN_VISIBLE, np.arange(1, 9), 0)])
    part[:] = lookup.astype(np.uint8)[kept]
    return np.asarray(visible, np.float64)


def _areas(labels: Mask) -> NDArray[np.float64]:
    """Pixels of each of the eight regions."""
    return np.asarray(cv2.calcHist([labels], [0], None, [9], [0, 9]), np.float64).reshape(-1)[1:]
