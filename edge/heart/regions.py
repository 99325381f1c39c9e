"""Eight wall regions of an apical view from a segmentation mask (regional-quality paper, appendix A)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.postprocess import LA, LV, MYOCARDIUM, NEXT_TO, pixels_of

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]

FACING = np.ones((7, 7), np.uint8)
"""What lies at most three rows and columns away faces a pixel."""
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


@dataclass(frozen=True)
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
    outline = _largest_contour(pixels_of(mask, LV))
    if outline is None or cv2.contourArea(outline.astype(np.float32)) < MIN_LV_PX:
        return NotMeasurable("no left ventricle found")
    wall = pixels_of(mask, MYOCARDIUM)
    if not wall.any():
        return NotMeasurable("no myocardium found")
    near_wall = np.asarray(cv2.dilate(wall, NEXT_TO), np.uint8)
    scale = np.array((spacing_mm[1], spacing_mm[0]) if spacing_mm else (1.0, 1.0))
    endocardium = _endocardial_arc(pixels_of(mask, LA), near_wall, outline)
    if endocardium is None:
        return NotMeasurable("the mitral annulus is not visible")
    if len(endocardium) < 12:
        return NotMeasurable("the myocardium does not follow the left ventricle")
    left, right = endocardium[0], endocardium[-1]
    middle = (left + right) / 2
    from_base = np.hypot(*((endocardium - middle) * scale).T)
    apex_at = int(np.argmax(from_base))
    if not 4 <= apex_at < len(endocardium) - 4:
        return NotMeasurable("the apex is not visible")
    around = len(endocardium) // 10
    if _share_on(near_wall, endocardium[max(0, apex_at - around) : apex_at + around + 1]) < MIN_CAP:
        return NotMeasurable("the apex is cut off: no wall is seen over it")
    steps = np.hypot(*(np.diff(endocardium, axis=0) * scale).T)
    halves = [np.concatenate([[0.0], np.cumsum(half)]) for half in (steps[:apex_at], steps[apex_at:])]
    lengths = [half[-1] for half in halves]
    if min(lengths) < MIN_BALANCE * max(lengths):
        return NotMeasurable("one wall of the left ventricle is missing")
    if from_base[apex_at] < MIN_SLENDERNESS * np.hypot(*((right - left) * scale)):
        return NotMeasurable("the left ventricle is too short for an apical view")
    epicardium = _epicardial_arc(mask, left, right, endocardium[apex_at])
    if epicardium is None:
        return NotMeasurable("the outer border of the wall is not visible")
    cuts = [*_thirds(halves[0]), apex_at, *(apex_at + k for k in _thirds(halves[1]))]
    inner = [0, *cuts, len(endocardium) - 1]
    outer = [0, *_nearest(epicardium, endocardium[cuts], scale), len(epicardium) - 1]
    labels = np.zeros(mask.shape, np.uint8)
    inner_px, outer_px = endocardium.astype(np.int32), epicardium.astype(np.int32)  # outlines of masks: whole numbers
    for index in range(6):
        inside = inner_px[inner[index] : inner[index + 1] + 1]
        outside = outer_px[outer[index] : outer[index + 1] + 1]
        cv2.fillPoly(labels, [np.concatenate([inside, outside[::-1]])], index + 1)
    cv2.bitwise_and(labels, wall, dst=labels)
    length = float(from_base[apex_at])
    radius = ANNULUS_RADIUS_MM if spacing_mm else ANNULUS_RADIUS_MM * length / TYPICAL_LV_LENGTH_MM
    axes = tuple(max(1, round(radius / s)) for s in scale)
    for index, point in ((7, left), (8, right)):
        cv2.ellipse(labels, (round(point[0]), round(point[1])), axes, 0, 0, 360, index, -1)
    visible = _clip_to_sector(labels, sector)
    return Regions(
        labels,
        visible,
        ((float(left[0]), float(left[1])), (float(right[0]), float(right[1]))),
        (float(endocardium[apex_at][0]), float(endocardium[apex_at][1])),
        endocardium,
        epicardium,
    )


def _largest_contour(area: Mask) -> Points | None:
    contours, _ = cv2.findContours(area, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    return np.asarray(max(contours, key=cv2.contourArea)[:, 0], np.float64)


def _endocardial_arc(atrium: Mask, near_wall: Mask, outline: Points) -> Points | None:
    """The part of the LV outline that borders the myocardium, from the left annulus point over the apex to the right.

    The mitral plane is the longest run of outline points away from the myocardium (a gap in the wall may be longer),
    among those facing the left atrium where one was segmented, else among those in the deeper half: the apex faces the
    probe.
    """
    columns, rows = outline.astype(np.intp).T
    open_ = near_wall[rows, columns] == 0
    runs = _circular_runs(open_)
    if not runs:
        return None
    if atrium.any():
        faces = cv2.dilate(atrium, FACING)[rows, columns] > 0
        count = len(outline)
        facing = [r for r in runs if faces[np.arange(r[0], r[0] + r[1]) % count].any()]
        runs = facing or runs
    else:
        middle_row = (outline[:, 1].min() + outline[:, 1].max()) / 2
        runs = [r for r in runs if outline[(r[0] + r[1] // 2) % len(outline), 1] > middle_row]
        if not runs:
            return None
    start, length = max(runs, key=lambda run: run[1])
    arc = np.roll(outline, -(start + length) % len(outline), axis=0)[: len(outline) - length]
    if len(arc) and arc[0, 0] > arc[-1, 0]:
        arc = arc[::-1]
    return arc


def _circular_runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, length) of each run of True in a circular array."""
    if flags.all() or not flags.any():
        return []
    first = int(np.argmin(flags))  # begin at a False, so that no run wraps around
    turned = np.roll(flags, -first).astype(np.int8)
    edges = np.diff(np.concatenate([[0], turned, [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [((int(s) + first) % len(flags), int(e - s)) for s, e in zip(starts, ends)]


def _epicardial_arc(mask: Mask, left: Points, right: Points, apex: Points) -> Points | None:
    """Outer border of LV and myocardium together, from next to `left` over the apex to next to `right`."""
    outline = _largest_contour(pixels_of(mask, LV, MYOCARDIUM))
    if outline is None or len(outline) < 12:
        return None
    start = int(np.argmin(np.hypot(*(outline - left).T)))
    turned = np.roll(outline, -start, axis=0)
    end = int(np.argmin(np.hypot(*(turned - right).T)))
    if end == 0:
        return None
    one, other = turned[: end + 1], np.vstack([turned[end:], turned[:1]])[::-1]
    reach = [np.hypot(*(path - apex).T).min() if len(path) > 5 else np.inf for path in (one, other)]
    return one if reach[0] <= reach[1] else other


def _share_on(area: Mask, path: Points) -> float:
    """Share of a path's (x, y) points on an area."""
    columns, rows = path.astype(np.intp).T
    return float((area[rows, columns] > 0).mean())


def _thirds(along: NDArray[np.float64]) -> list[int]:
    """Indices that cut an arc in three parts of equal length; `along` is each point's distance from the first."""
    return [int(np.searchsorted(along, along[-1] * k / 3)) for k in (1, 2)]


def _nearest(arc: Points, points: Points, scale: Points) -> list[int]:
    """Index of the nearest point of `arc` to each of `points`, never running backwards."""
    distance = np.hypot(*np.moveaxis((arc[None] - points[:, None]) * scale, 2, 0))
    return [int(k) for k in np.maximum.accumulate(distance.argmin(1))]


def _clip_to_sector(labels: Mask, sector: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Share of each region inside the sector; clears what lies outside and regions that are mostly outside, in place."""
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
