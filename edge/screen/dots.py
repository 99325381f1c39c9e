"""Dots along the slanted edge of the widest sector that a scanner can show: its depth scale, however narrow the sector
is. Echo reaches them, and icons lie on them."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Frame
from edge.screen.sector import Fan, Sector

ANGLES = np.deg2rad(np.arange(15, 60.1, 0.5))
"""Between the line of dots and the vertical, on either side."""
SIZE = 0.012
"""Largest dot, as a share of the screen's height."""
BRIGHTER = 90
"""Grey levels that a dot has above what is around it."""
EDGE_PX = 0.016
"""Echo is looked at this near to the edge, as a share of the screen's height, and no deeper."""
ALIGNED_PX = 1.5
NEAR_APEX = 0.08
"""The line passes the fan's apex no farther away than this share of its radius."""
MIN_DOTS, MIN_FILLED, MAX_OTHERS = 7, 0.8, 0.5
"""Least dots, least share of their places that are taken, and marks between them as a share of the dots."""
MOST_APART = 24
REGULAR = 0.1
"""How far a dot may stand from its place, as a share of the distance between dots."""
SPANS = (0.55, 1.15)
"""What the dots span, as a share of the sector's depth."""


def edge_dots(peak: Frame, sector: Sector) -> Iterator[tuple[NDArray[np.float64], float, NDArray[np.float64]]]:
    """(dots, N x 2, turned so that they stand in a column; pixels between them; the 2x2 rotation that turns them so) of
    each line of dots on a screen (HxW uint8, the maximum over some frames)."""
    fan = sector.fan
    if fan is None:
        return
    points = _marks(peak, sector)
    if len(points) < MIN_DOTS:
        return
    for angle in (*ANGLES, *-ANGLES):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for column in _lines(points @ turn.T, float((turn @ np.array(fan.apex))[0]), fan):
            dots, step_px = _comb(column, fan.radius - fan.inner_radius)
            if step_px:
                yield dots, step_px, turn


def _marks(peak: Frame, sector: Sector) -> NDArray[np.float64]:
    """Centres (N x 2) of what is small and brighter than all around it, but for the inside of the sector."""
    height = len(peak)
    size = max(5, 2 * round(SIZE * height / 2) + 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    above = cv2.morphologyEx(peak, cv2.MORPH_TOPHAT, kernel)
    reach = 2 * round(EDGE_PX * height) + 1
    inside = cv2.erode(sector.mask.astype(np.uint8), np.ones((reach, reach), np.uint8))
    marks = ((above > BRIGHTER) & (inside == 0)).astype(np.uint8)
    _, _, stats, centres = cv2.connectedComponentsWithStats(marks, connectivity=8)
    small = (stats[1:, cv2.CC_STAT_WIDTH] <= size) & (stats[1:, cv2.CC_STAT_HEIGHT] <= size)
    return np.asarray(centres[1:][small], np.float64)


def _lines(turned: NDArray[np.float64], apex: float, fan: Fan) -> Iterator[NDArray[np.float64]]:
    """The points (N x 2) of each column near the apex, by their place along it."""
    order = np.argsort(turned[:, 0])
    across = turned[order, 0]
    reach = NEAR_APEX * fan.radius
    middles = np.arange(apex - reach, apex + reach, 1.0)
    firsts = np.searchsorted(across, middles - ALIGNED_PX)
    lasts = np.searchsorted(across, middles + ALIGNED_PX, side="right")
    for first, last in dict.fromkeys(zip(firsts.tolist(), lasts.tolist())):
        if last - first >= MIN_DOTS:
            column = turned[order[first:last]]
            yield column[np.argsort(column[:, 1])]


def _comb(column: NDArray[np.float64], depth_px: float) -> tuple[NDArray[np.float64], float]:
    """(the equally spaced ones of some points in a column, pixels between them); 0 where there are too few of them."""
    along = column[:, 1]
    first, second = np.triu_indices(len(along), 1)
    # Any two of them may be one distance apart, or several.
    steps = ((along[second] - along[first])[:, None] / np.arange(1, MOST_APART + 1)).ravel()
    first = np.repeat(first, MOST_APART)
    usable = (steps >= depth_px / 35) & (steps <= depth_px / (MIN_DOTS - 2))
    first, steps = first[usable], steps[usable]
    if not len(steps):
        return column, 0.0
    places = (along[None] - along[first][:, None]) / steps[:, None]
    hits = np.abs(places - np.round(places)) <= REGULAR
    lowest = np.where(hits, np.round(places), np.inf).min(1)
    highest = np.where(hits, np.round(places), -np.inf).max(1)
    count, spans = hits.sum(1), (highest - lowest) * steps / depth_px
    good = (count >= MIN_DOTS) & (count >= MIN_FILLED * (highest - lowest + 1)) & (spans >= SPANS[0])
    good &= (spans <= SPANS[1]) & (len(along) - count <= MAX_OTHERS * count)
    if not good.any():
        return column, 0.0
    best = int(np.argmax(np.where(good, count, 0)))
    chosen = hits[best]
    step_px, _ = np.polyfit(np.round(places[best][chosen]), along[chosen], 1)
    return column[chosen], float(step_px)
