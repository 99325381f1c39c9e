"""Network output to a clean mask. The one postprocess: evaluation and the runtime both call it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Box
from edge.regions import LA, LV, MYOCARDIUM

Mask = NDArray[np.uint8]
MIN_SHARE = 0.003
"""Smallest part of the picture that counts as a structure."""


def clean_mask(mask: Mask) -> Mask:
    """Keep one piece of each structure, where anatomy puts it (HxW uint8, 0-3; a new array).

    LV: the largest piece, holes filled, with what was taken for an atrium above it (a tendon across the cavity looks like
    a valve). Myocardium: the pieces that touch the LV. Left atrium: the largest piece whose centre lies deeper than the
    LV's. Without an LV nothing is kept.
    """
    out = np.zeros_like(mask)
    ventricle = _largest_piece(mask, LV)
    if ventricle is None:
        return out
    _, y, _, height = cv2.boundingRect(ventricle)
    misplaced = _pieces_above(mask, LA, y + height / 2)
    if misplaced is not None:
        mask = np.where(misplaced, np.uint8(LV), mask)
        ventricle = _largest_piece(mask, LV)
        assert ventricle is not None
    contours, _ = cv2.findContours(ventricle, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    x, y, width, height = cv2.boundingRect(contours[0])
    wall, window = _area_of(mask, MYOCARDIUM)
    count, labels, _, _ = cv2.connectedComponentsWithStats(wall, connectivity=8)
    if count > 1:
        around = np.s_[max(0, y - 2) : y + height + 2, max(0, x - 2) : x + width + 2]
        near = np.zeros_like(mask)
        near[around] = cv2.dilate(ventricle[around], np.ones((5, 5), np.uint8))
        keep = np.zeros(count, np.uint8)
        keep[labels[near[window] > 0]] = MYOCARDIUM
        keep[0] = 0
        out[window] = keep[labels]
    atrium = _largest_piece(mask, LA)
    if atrium is not None and _mean_row(atrium) > y + height / 2:
        out[atrium > 0] = LA
    cv2.drawContours(out, contours, -1, LV, cv2.FILLED)
    return out


def _area_of(mask: Mask, value: int) -> tuple[Mask, tuple[slice, slice]]:
    """Where a mask has a value, as 0/1 uint8 within the smallest window that holds it all, and that window.

    Structures fill a part of the picture; labelling only that part takes half the time.
    """
    area = np.asarray(cv2.inRange(mask, value, value), np.uint8)
    x, y, width, height = cv2.boundingRect(area)
    window = np.s_[y : y + max(1, height), x : x + max(1, width)]  # never empty: OpenCV cannot label nothing
    return np.asarray(area[window] & 1, np.uint8), window


def _largest_piece(mask: Mask, value: int) -> Mask | None:
    """The largest 4-connected piece of a value as 0/1 uint8, or None where none reaches MIN_SHARE of the mask."""
    area, window = _area_of(mask, value)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(area, connectivity=4)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < MIN_SHARE * mask.size:
        return None
    piece = np.zeros_like(mask)
    piece[window] = labels == largest
    return piece


def _pieces_above(mask: Mask, value: int, row: float) -> NDArray[np.bool_] | None:
    """The 4-connected pieces of a value whose centre lies above a row; None where there is none."""
    area, window = _area_of(mask, value)
    count, labels, _, centres = cv2.connectedComponentsWithStats(area, connectivity=4)
    above = centres[:count, 1] + window[0].start < row
    above[0] = False
    if not above.any():
        return None
    pieces = np.zeros(mask.shape, bool)
    pieces[window] = above[labels]
    return pieces


def _mean_row(piece: Mask) -> float:
    rows = piece.sum(1, dtype=np.int64)
    return float((rows * np.arange(len(rows))).sum() / rows.sum())


def mask_on_frame(mask: Mask, box: Box, shape: tuple[int, int]) -> Mask:
    """An input-sized mask (size x size) put back on a frame of `shape` (height, width), nearest neighbour."""
    return np.asarray(_on_frame(mask, box, shape, cv2.INTER_NEAREST_EXACT), np.uint8)


def map_on_frame(values: NDArray[np.float32], box: Box, shape: tuple[int, int]) -> NDArray[np.float32]:
    """An input-sized map such as a probability put back on a frame of `shape` (height, width), bilinear; 0 outside the box."""
    return np.asarray(_on_frame(values, box, shape, cv2.INTER_LINEAR), np.float32)


def _on_frame(values: NDArray[Any], box: Box, shape: tuple[int, int], interpolation: int) -> NDArray[Any]:
    height, width = shape
    left, top, side = round(box.x), round(box.y), max(1, round(box.side))
    enlarged = cv2.resize(values, (side, side), interpolation=interpolation)
    out = np.zeros((height, width), values.dtype)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = enlarged[y0 - top : y1 - top, x0 - left : x1 - left]
    return out
