"""Borders of the left ventricle in a mask: outlines, arcs between the annulus points, places along them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.postprocess import LV, MYOCARDIUM, pixels_of

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]

FACING = np.ones((7, 7), np.uint8)
"""What lies at most three rows and columns away faces a pixel."""


def largest_contour(area: Mask) -> Points | None:
    contours, _ = cv2.findContours(area, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    return np.asarray(max(contours, key=cv2.contourArea)[:, 0], np.float64)


def endocardial_arc(atrium: Mask, near_wall: Mask, outline: Points) -> Points | None:
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


def epicardial_arc(mask: Mask, left: Points, right: Points, apex: Points) -> Points | None:
    """Outer border of LV and myocardium together, from next to `left` over the apex to next to `right`."""
    outline = largest_contour(pixels_of(mask, LV, MYOCARDIUM))
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


def share_on(area: Mask, path: Points) -> float:
    """Share of a path's (x, y) points on an area."""
    columns, rows = path.astype(np.intp).T
    return float((area[rows, columns] > 0).mean())


def thirds(along: NDArray[np.float64]) -> list[int]:
    """Indices that cut an arc in three parts of equal length; `along` is each point's distance from the first."""
    return [int(np.searchsorted(along, along[-1] * k / 3)) for k in (1, 2)]


def nearest(arc: Points, points: Points, scale: Points) -> list[int]:
    """Index of the nearest point of `arc` to each of `points`, never running backwards."""
    distance = np.hypot(*np.moveaxis((arc[None] - points[:, None]) * scale, 2, 0))
    return [int(k) for k in np.maximum.accumulate(distance.argmin(1))]
