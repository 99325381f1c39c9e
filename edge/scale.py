"""Millimetres per pixel from the depth ticks beside the sector, with a confidence; unknown rather than guessed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Frame
from edge.sector import Sector

BRIGHTS = (60, 30, 15)
"""Grey levels above the screen's black that may part ticks from nothing: small screens draw them as faint dots."""
MIN_TICKS = 6
MAX_TICK = (0.03, 0.02)
"""Largest width and height of a tick, as shares of the picture's height."""
ALIGNED_PX = 2.5
UNITS_MM = (10.0, 5.0)
PLAUSIBLE_DEPTH_MM = (60.0, 260.0)
"""Imaging depths of transthoracic echocardiography, from children to large adults."""
SURE = 0.5


@dataclass(frozen=True)
class Scale:
    """What the ticks say: mm per pixel (None where unknown), confidence 0-1, ticks used, why it is unknown."""

    mm_per_px: float | None
    confidence: float
    ticks: tuple[tuple[float, float], ...] = ()
    reason: str = ""


def find_scale(peak: Frame, sector: Sector) -> Scale:
    """Read the ticks of a screen (HxW uint8, the maximum over some frames). See `scale_from_ticks` for the unit."""
    height = peak.shape[0]
    black = int(np.bincount(peak.ravel(), minlength=32)[:32].argmax())
    widest, highest = max(4.0, MAX_TICK[0] * height), max(3.0, MAX_TICK[1] * height)
    depth_px = (
        sector.fan.radius - sector.fan.inner_radius if sector.fan is not None else float(sector.mask.any(1).sum())
    )
    best = Scale(None, 0.0, (), "no row of equally spaced ticks beside the sector")
    for bright in BRIGHTS:
        marks = ((peak > black + bright) & ~sector.mask).astype(np.uint8)
        count, _, stats, centres = cv2.connectedComponentsWithStats(marks, connectivity=8)
        small = (stats[1:, cv2.CC_STAT_WIDTH] <= widest) & (stats[1:, cv2.CC_STAT_HEIGHT] <= highest)
        points, boxes = centres[1:count][small], stats[1:count][small]
        for x in np.unique(np.round(points[:, 0])):
            column = np.abs(points[:, 0] - x) <= ALIGNED_PX
            weights = np.array([
                float(peak[t : t + h, x0 : x0 + w].sum()) for x0, t, w, h, _ in boxes[column]
            ])  # fmt: skip
            found = scale_from_ticks(points[column], weights, depth_px)
            if (found.mm_per_px is not None, found.confidence) > (best.mm_per_px is not None, best.confidence):
                best = found
    return best


def scale_from_ticks(points: NDArray[np.float64], sizes: NDArray[np.float64], depth_px: float) -> Scale:
    """Ticks in one column (N x 2, any order) with their sizes (summed brightness).

    The unit is 1 cm, or 0.5 cm, whichever gives a plausible depth; where both do, larger ticks at every fifth position
    mean 1 cm and at every second 0.5 cm, and without such ticks the confidence stays below SURE.
    """
    order = np.argsort(points[:, 1])
    rows, sizes = points[order, 1], sizes[order]
    if len(rows) < MIN_TICKS:
        return Scale(None, 0.0, (), f"{len(rows)} marks in a column; {MIN_TICKS} are needed")
    step = float(np.median(np.diff(rows)))
    if step < 4:
        return Scale(None, 0.0, (), "marks stand too close")
    places = np.round((rows - rows[0]) / step)
    step, first = (float(v) for v in np.polyfit(places, rows, 1))
    residual = np.abs(rows - (first + places * step)) / step
    regular = float((residual < 0.12).mean()) * min(1.0, len(rows) / (places[-1] + 1))
    spans = float(np.ptp(rows)) / max(depth_px, 1.0)
    if regular < 0.75 or not 0.6 < spans < 1.3:
        return Scale(None, 0.0, (), "the marks are not equally spaced along the depth")
    plausible = [u for u in UNITS_MM if PLAUSIBLE_DEPTH_MM[0] <= depth_px * u / step <= PLAUSIBLE_DEPTH_MM[1]]
    large = places[sizes > 1.25 * np.median(sizes)]
    periods = set(np.diff(large).tolist()) if len(large) > 1 else set()
    if len(plausible) == 1:
        unit, sure = plausible[0], 0.9
    elif not plausible:
        return Scale(None, 0.0, (), "no unit of the ticks gives a plausible depth")
    elif periods == {5.0}:
        unit, sure = 10.0, 0.9
    elif periods == {2.0}:
        unit, sure = 5.0, 0.9
    else:
        return Scale(
            None,
            0.4,
            tuple((float(x), float(y)) for x, y in points),
            "ticks may be 0.5 or 1 cm apart; type the depth in (--depth-cm)",
        )
    return Scale(float(unit / step), float(sure * regular), tuple((float(x), float(y)) for x, y in points[order]))
