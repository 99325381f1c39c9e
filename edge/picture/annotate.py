"""One frame with its LV contour and its regions coloured by quality."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.analysis import REGION_PX, Analysis
from edge.heart.regions import Regions, region_names
from edge.picture.palette import HATCH, TEXT, Canvas, quality_colour, smooth_line, text, width_of
from edge.postprocess import LV, pixels_of

ALPHA = 0.45
EDGE_PX = 5
"""Regions are a few screen pixels a mask pixel: a median this wide takes the stairs off their edges."""
OUTLINE_STEP = 3
"""Every third point of the smoothed outline is drawn: OpenCV's smooth lines cost by the piece."""
REASON = (255, 120, 120)
HATCHED = 16
"""Added to a region's label where a line of the hatching runs."""
NAME_PX = 30
"""How far outside the middle of its wall a name begins."""


def annotate(panel: Canvas, analysis: Analysis, scale: float, origin: tuple[int, int] = (0, 0)) -> None:
    """Draw onto a panel (RGB) that shows the analysed frame from `origin` (x, y) on, enlarged by `scale`, in place."""
    step, offset = _to_panel(analysis, scale, origin)
    if analysis.regions is not None and np.isfinite(analysis.scores).all():
        _colour(panel, analysis, analysis.regions, step, offset)
    contours, _ = cv2.findContours(pixels_of(analysis.mask, LV), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        smooth = _smooth_closed(contour[:, 0].astype(np.float64)) * step + offset
        smooth_line(panel, smooth[::OUTLINE_STEP], True)
    if analysis.reason:
        text(panel, analysis.reason, (10, panel.shape[0] - 12), REASON)


def _to_panel(analysis: Analysis, scale: float, origin: tuple[int, int]) -> tuple[float, NDArray[np.float64]]:
    """(panel pixels a mask pixel, panel position of the mask's first pixel)."""
    step = analysis.box.side / REGION_PX * scale
    corner = np.array((analysis.box.x - origin[0], analysis.box.y - origin[1]))
    return step, corner * scale + step / 2 - 0.5


def _colour(panel: Canvas, analysis: Analysis, regions: Regions, step: float, offset: NDArray[np.float64]) -> None:
    colours = np.zeros((256, 1, 3), np.uint8)  # a colour map takes one for each value
    for number, score in enumerate(analysis.scores, start=1):
        colours[[number, number + HATCHED], 0] = quality_colour(score)
        if round(float(score)) <= 1:
            colours[number + HATCHED, 0] = TEXT
    x, y, across, down = cv2.boundingRect(regions.labels)
    left, top = np.maximum(np.floor(np.array((x - 1, y - 1)) * step + offset).astype(int), 0).tolist()
    right, bottom = np.ceil(np.array((x + across, y + down)) * step + offset).astype(int).tolist()
    part = panel[top : max(0, bottom), left : max(0, right)]
    if not part.size:
        return
    matrix = np.array([[step, 0, offset[0] - left], [0, step, offset[1] - top]])
    size = (part.shape[1], part.shape[0])
    marked = cv2.medianBlur(cv2.warpAffine(regions.labels, matrix, size, flags=cv2.INTER_NEAREST), EDGE_PX)
    shown = marked
    if analysis.scores.min() < 1.5:
        shown = cv2.add(marked, _hatching(panel.shape[:2])[top : top + size[1], left : left + size[0]])
    mixed = cv2.addWeighted(part, 1 - ALPHA, cv2.applyColorMap(shown, colours), ALPHA, 0)
    cv2.copyTo(mixed, marked, part)


@lru_cache(maxsize=4)
def _hatching(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """HxW: HATCHED on slanting lines two pixels wide, else 0."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.where((x + y) % HATCH < 2, HATCHED, 0).astype(np.uint8)


def name_regions(panel: Canvas, analysis: Analysis, scale: float, origin: tuple[int, int] = (0, 0)) -> None:
    """Write the name and the level, 1 to 5, of each region beside it; a panel as for `annotate`."""
    regions = analysis.regions
    if regions is None:
        return
    step, offset = _to_panel(analysis, scale, origin)
    middle = regions.endocardium.mean(0)
    for index, name in enumerate(region_names(analysis.view)):
        rows, columns = np.nonzero(regions.labels == index + 1)
        if not len(rows):
            continue
        centre = np.array((columns.mean(), rows.mean()))
        away = (centre - middle) / max(1e-6, float(np.hypot(*(centre - middle))))
        x, y = np.round(centre * step + offset + away * NAME_PX).astype(int).tolist()
        score = analysis.scores[index]
        words = f"{name} {round(float(score))}" if np.isfinite(score) else name
        width = width_of(words)
        x = min(max(2, x if away[0] > 0 else x - width), panel.shape[1] - width - 2)
        text(panel, words, (x + 1, y + 6), (0, 0, 0))
        text(panel, words, (x, y + 5), TEXT)


def _smooth_closed(points: NDArray[np.float64], width: int = 7) -> NDArray[np.float64]:
    """Moving average along a closed outline: removes the pixel staircase, keeps the shape."""
    if len(points) < 2 * width:
        return points
    padded = np.vstack([points[-(width // 2) :], points, points[: width // 2]])
    total = np.cumsum(np.vstack([np.zeros((1, 2)), padded]), axis=0)
    return np.asarray((total[width:] - total[:-width]) / width)
