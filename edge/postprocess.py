"""Network output to a clean mask. The one postprocess: evaluation and the runtime both call it."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Box

Mask = NDArray[np.uint8]
LV, MYOCARDIUM, LA = 1, 2, 3
"""Classes of a mask; 0 is background."""
NEXT_TO = np.ones((5, 5), np.uint8)
"""What lies at most two rows and columns away is next to a pixel."""
MIN_SHARE = 0.003
"""Smallest part of the picture that counts as a structure."""


def pixels_of(mask: Mask, lowest: int, highest: int | None = None) -> Mask:
    """255 where a mask has a value, or one from lowest to highest, 0 elsewhere."""
    return np.asarray(cv2.inRange(mask, lowest, lowest if highest is None else highest), np.uint8)


def clean_mask(mask: Mask) -> Mask:
    """Keep one piece of each structure, where anatomy puts it (HxW uint8, 0-3; a new array).

    LV: the largest piece, holes filled, with what was taken for an atrium above it (a tendon across the cavity looks
    like a valve). Myocardium: the pieces that touch the LV. Left atrium: the largest piece whose centre lies deeper
    than the LV's. Without an LV nothing is kept.
    """
    out = np.zeros_like(mask)
    x, y, width, height = cv2.boundingRect(mask)
    if width:  # structures fill a part of the picture: the rest need not be looked at
        window = np.s_[y : y + height, x : x + width]
        _clean(mask[window], out[window], MIN_SHARE * mask.size)
    return out


def _clean(mask: Mask, out: Mask, smallest: float) -> None:
    """Write what `clean_mask` keeps into `out`, which is zero; a piece below `smallest` pixels is none."""
    ventricle = _largest(_pieces(mask, LV), smallest)
    if ventricle is None:
        return
    _, y, _, height = cv2.boundingRect(ventricle)
    atria = _pieces(mask, LA)
    misplaced = atria.rows < y + height / 2
    if misplaced.any():
        mask = np.where(np.concatenate([[False], misplaced])[atria.labels], np.uint8(LV), mask)
        ventricle = _largest(_pieces(mask, LV), smallest)
        assert ventricle is not None
        atria = _pieces(mask, LA)
    contours, _ = cv2.findContours(ventricle, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    x, y, width, height = cv2.boundingRect(contours[0])
    count, labels = cv2.connectedComponents(pixels_of(mask, MYOCARDIUM), connectivity=8)
    if count > 1:
        around = np.s_[max(0, y - 2) : y + height + 2, max(0, x - 2) : x + width + 2]
        near = cv2.dilate(ventricle[around], NEXT_TO)
        keep = np.zeros(count, np.uint8)
        keep[labels[around][near > 0]] = MYOCARDIUM
        keep[0] = 0
        np.take(keep, np.asarray(labels, np.int32), out=out)
    atrium = _largest(atria, smallest, y + height / 2)
    if atrium is not None:
        out[atrium > 0] = LA
    cv2.drawContours(out, contours, -1, LV, cv2.FILLED)


class _Pieces(NamedTuple):
    """4-connected pieces of one value: their numbers from 1 on in `labels` (int32), area and mean row of each."""

    labels: NDArray[np.int32]
    areas: NDArray[np.int32]
    rows: NDArray[np.float64]


def _pieces(mask: Mask, value: int) -> _Pieces:
    area = pixels_of(mask, value)
    count, labels = cv2.connectedComponents(area, connectivity=4)
    if count == 2:  # one piece, as nearly always: its statistics are the picture's, at a third of the cost
        moments = cv2.moments(area, binaryImage=True)
        areas, rows = np.array([round(moments["m00"])]), np.array([moments["m01"] / moments["m00"]])
    else:
        _, labels, stats, centres = cv2.connectedComponentsWithStats(area, connectivity=4)
        areas, rows = stats[1:, cv2.CC_STAT_AREA], centres[1:, 1]
    return _Pieces(np.asarray(labels, np.int32), np.asarray(areas, np.int32), np.asarray(rows, np.float64))


def _largest(pieces: _Pieces, smallest: float, below_row: float = -np.inf) -> Mask | None:
    """The largest piece as 0/1 uint8; None where it is smaller than `smallest`, or its mean row is not below
    `below_row`.
    """
    if not len(pieces.areas):
        return None
    index = int(np.argmax(pieces.areas))
    if pieces.areas[index] < smallest or pieces.rows[index] <= below_row:
        return None
    return np.asarray(pieces.labels == index + 1, np.uint8)


def mask_on_frame(mask: Mask, box: Box, shape: tuple[int, int]) -> Mask:
    """An input-sized mask (size x size) put back on a frame of `shape` (height, width), nearest neighbour."""
    return np.asarray(_on_frame(mask, box, shape, cv2.INTER_NEAREST_EXACT), np.uint8)


def map_on_frame(values: NDArray[np.float32], box: Box, shape: tuple[int, int]) -> NDArray[np.float32]:
    """An input-sized map such as a probability put back on a frame of `shape` (height, width), bilinear; 0 outside the
    box.
    """
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
