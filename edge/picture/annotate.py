"""One frame with its LV contour and its regions coloured by quality."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.analysis import REGION_PX, Analysis
from edge.picture.palette import CONTOUR, Canvas, quality_colour, text
from edge.postprocess import LV, pixels_of

ALPHA = 0.45
EDGE_PX = 5
"""Regions are a few screen pixels a mask pixel: a median this wide takes the stairs off their edges."""
OUTLINE_STEP = 3
"""Every third point of the smoothed outline is drawn: OpenCV's smooth lines cost by the piece."""
REASON = (255, 120, 120)


def fitted(image: Canvas, size: tuple[int, int]) -> Canvas:
    """A frame (HxW or HxWx3) as RGB of size (width, height)."""
    if image.ndim == 2:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def annotate(panel: Canvas, analysis: Analysis, scale: float) -> None:
    """Draw onto a panel (RGB) that shows the analysed frame enlarged by `scale`, in place."""
    step = analysis.box.side / REGION_PX * scale
    offset = np.array((analysis.box.x, analysis.box.y)) * scale + step / 2 - 0.5
    if analysis.regions is not None and np.isfinite(analysis.scores).all():
        colours = np.zeros((256, 1, 3), np.uint8)  # a colour map takes one for each value
        colours[1:9, 0] = [quality_colour(score) for score in analysis.scores]
        x, y, across, down = cv2.boundingRect(analysis.regions.labels)
        left, top = np.maximum(np.floor(np.array((x - 1, y - 1)) * step + offset).astype(int), 0).tolist()
        right, bottom = np.ceil(np.array((x + across, y + down)) * step + offset).astype(int).tolist()
        part = panel[top : max(0, bottom), left : max(0, right)]
        if part.size:
            matrix = np.array([[step, 0, offset[0] - left], [0, step, offset[1] - top]])
            size = (part.shape[1], part.shape[0])
            marked = cv2.medianBlur(
                cv2.warpAffine(analysis.regions.labels, matrix, size, flags=cv2.INTER_NEAREST), EDGE_PX
            )
            mixed = cv2.addWeighted(part, 1 - ALPHA, cv2.applyColorMap(marked, colours), ALPHA, 0)
            cv2.copyTo(mixed, marked, part)
    contours, _ = cv2.findContours(pixels_of(analysis.mask, LV), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        smooth = _smooth_closed(contour[:, 0].astype(np.float64)) * step + offset
        points = np.round(smooth[::OUTLINE_STEP] * 8).astype(np.int32)
        cv2.polylines(panel, [points], True, CONTOUR, 2, cv2.LINE_AA, shift=3)
    if analysis.reason:
        text(panel, analysis.reason, (10, panel.shape[0] - 12), REASON)


def _smooth_closed(points: NDArray[np.float64], width: int = 7) -> NDArray[np.float64]:
    """Moving average along a closed outline: removes the pixel staircase, keeps the shape."""
    if len(points) < 2 * width:
        return points
    padded = np.vstack([points[-(width // 2) :], points, points[: width // 2]])
    total = np.cumsum(np.vstack([np.zeros((1, 2)), padded]), axis=0)
    return np.asarray((total[width:] - total[:-width]) / width)
