"""Pictures with straight upright sides: those of linear probes, and traces that fill the screen."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from edge.preprocess import Frame
from edge.screen.sector import SOLID, VISIBLE_GREYS, black_of, flat_areas, smooth

VISIBLE = VISIBLE_GREYS[1]
"""Grey levels above the screen's black: the sides of a picture show best in its faintest echo."""
MIN_PART = 0.01
"""Least size of a part of the picture, as a share of the screen: an eye's or a cyst's darkness may part it in two."""
ASIDE = 0.1
"""A part belongs to the largest one when it reaches beyond its sides by no more than this share of the screen."""
STRAIGHT_SHARE, STRAIGHT = 0.34, 0.02
"""Least share of the rows whose echo ends at the same place on one side, and on the other; how much the place may
differ, as a share of the width. Sectors that a frame crops have such rows only further down."""
TOP_WIDTH, TOP_SHARE = 0.65, 0.25
"""Mean width of this share of the rows, from the top, as a share of the whole width."""


class Rectangle(NamedTuple):
    """Pixels of the working size."""

    x: int
    y: int
    width: int
    height: int


def rectangle_of(peak: Frame, rough: Frame) -> Rectangle | None:
    """The picture on a screen, if its sides are straight and upright from its top on. Arguments as `SectorFinder`'s."""
    peak = smooth(peak)
    black = black_of(peak)
    lit = ((peak > black + VISIBLE) & ~flat_areas(peak, rough, black)).astype(np.uint8)
    picture = _picture(np.asarray(cv2.morphologyEx(lit, cv2.MORPH_OPEN, SOLID), np.uint8))
    if picture is None:
        return None
    across, rows = picture.shape[1], np.flatnonzero(picture.any(1))
    lefts, rights = picture.argmax(1)[rows], across - picture[:, ::-1].argmax(1)[rows]
    left, right = int(np.bincount(lefts).argmax()), int(np.bincount(rights).argmax())
    height, width = int(rows[-1] - rows[0]) + 1, right - left
    near_px = max(2.0, STRAIGHT * width)
    straight = min(int((np.abs(lefts - left) <= near_px).sum()), int((np.abs(rights - right) <= near_px).sum()))
    top = rows < rows[0] + TOP_SHARE * height
    if straight < STRAIGHT_SHARE * height or float((rights - lefts)[top].mean()) < TOP_WIDTH * width:
        return None
    return Rectangle(left, int(rows[0]), width, height)


def _picture(lit: Frame) -> Frame | None:
    """HxW bool: the largest lit part with those above and below it."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(lit, connectivity=4)
    large = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= MIN_PART * lit.size]
    if not large:
        return None
    x, width = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_WIDTH]
    largest = max(large, key=lambda k: int(stats[k, cv2.CC_STAT_AREA]))
    aside_px = ASIDE * lit.shape[1]
    first, last = x[largest] - aside_px, x[largest] + width[largest] + aside_px
    return np.isin(labels, [k for k in large if x[k] >= first and x[k] + width[k] <= last]).astype(np.uint8)
