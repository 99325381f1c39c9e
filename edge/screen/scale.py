"""Millimetres per pixel by the ticks beside the sector; unknown rather than guessed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Frame, grey
from edge.screen.sector import Sector

BRIGHTS = (60, 30, 15)
"""Grey levels above the screen's black that may part ticks from nothing: small screens draw them as faint dots."""
MIN_TICKS = 6
MAX_TICK = (0.03, 0.02)
"""Largest width and height of a tick, as shares of the picture's height."""
ALIGNED_PX = 2.5
UNITS_MM = (10.0, 5.0)
UNIT_OF_PERIOD = {5.0: 10.0, 2.0: 5.0}
"""Every how many ticks one is larger -> mm between ticks."""
LONGER = 1.3
"""Size of a longer tick relative to the short ones, of which there are at least as many."""
PLAUSIBLE_DEPTH_MM = (30.0, 300.0)
"""What a cardiac picture can show in depth, from a zoomed part of a child's heart to a large adult's chest."""
ROUNDING = 0.03
"""Share by which a depth measured in whole pixels may be off: a unit is ruled out only beyond it."""
BEYOND = 0.1
"""Ticks stand beside the sector: above and below it no more than this share of the depth."""
EDGE_OFF_DEG = np.arange(-3, 3.1, 0.5)
"""By how much the fan that was found may be wider or narrower than the line of dots beside it."""
SURE = 0.5
STRIP_MARGIN_PX, STRIP_GREY, MOVED_SHARE = 4, 40, 0.3
"""The ticks' column is another one when the pixels that differ by STRIP_GREY are this share of those that were lit."""


@dataclass(frozen=True)
class Scale:
    """What the ticks say: mm per pixel (None where unknown), confidence 0-1, ticks used, why it is unknown.

    `step_px` is the distance of neighbouring ticks, 0 without ticks.
    """

    mm_per_px: float | None
    confidence: float
    ticks: tuple[tuple[float, float], ...] = ()
    reason: str = ""
    step_px: float = 0.0

    @property
    def sure(self) -> bool:
        return self.mm_per_px is not None and self.confidence >= SURE


class TickWatch:
    """Notices another depth: the ticks move, though the rest of the screen stays as it is."""

    def __init__(self, frame: Frame, scale: Scale, sector: Sector) -> None:
        columns, heights = [x for x, _ in scale.ticks], [y for _, y in scale.ticks]
        # Not beyond the ticks: an ECG may pass below them.
        self._rows = slice(max(0, round(min(heights)) - STRIP_MARGIN_PX), round(max(heights)) + STRIP_MARGIN_PX + 1)
        left = max(0, round(min(columns)) - STRIP_MARGIN_PX)
        self._columns = slice(left, round(max(columns)) + STRIP_MARGIN_PX + 1)
        self._outside = ~sector.mask[self._rows, self._columns]
        self._reference = self._strip(frame)
        black = int(np.median(self._reference))
        self._lit = max(1, int(np.count_nonzero((self._reference > black + STRIP_GREY) & self._outside)))

    def has_moved(self, frame: Frame) -> bool:
        """Whether the ticks of a frame (of the same size) stand elsewhere."""
        now = self._strip(frame)
        differs = np.maximum(now, self._reference) - np.minimum(now, self._reference) > STRIP_GREY
        return bool(np.count_nonzero(differs & self._outside) > MOVED_SHARE * self._lit)

    def _strip(self, frame: Frame) -> Frame:
        return grey(np.ascontiguousarray(frame[self._rows, self._columns]))


def find_scale(peak: Frame, sector: Sector, unit_mm: float = 0.0) -> Scale:
    """Read the ticks of a screen (HxW uint8, the maximum over some frames).

    `unit_mm` is the distance that two ticks stand for, where a profile knows it; else see `scale_from_ticks`.
    """
    height = peak.shape[0]
    black = int(np.bincount(peak.ravel(), minlength=32)[:32].argmax())
    widest, highest = max(4.0, MAX_TICK[0] * height), max(3.0, MAX_TICK[1] * height)
    depth_px = (
        sector.fan.radius - sector.fan.inner_radius if sector.fan is not None else float(sector.mask.any(1).sum())
    )
    rows = np.flatnonzero(sector.mask.any(1))
    highest_row, lowest_row = rows[0] - BEYOND * depth_px, rows[-1] + BEYOND * depth_px
    best = Scale(None, 0.0, (), "no row of equally spaced ticks beside the sector")
    axes = [np.eye(2), *_edges(sector)]
    for bright in BRIGHTS:
        marks = ((peak > black + bright) & ~sector.mask).astype(np.uint8)
        count, _, stats, centres = cv2.connectedComponentsWithStats(marks, connectivity=8)
        small = (stats[1:, cv2.CC_STAT_WIDTH] <= widest) & (stats[1:, cv2.CC_STAT_HEIGHT] <= highest)
        small &= (centres[1:, 1] >= highest_row) & (centres[1:, 1] <= lowest_row)
        points, boxes = centres[1:count][small], stats[1:count][small]
        sizes = np.array([float(peak[t : t + h, x0 : x0 + w].sum()) for x0, t, w, h, _ in boxes])
        for turn in axes:
            across, along = (points @ turn.T).T if len(points) else np.empty((2, 0))
            for x in np.unique(np.round(across)):
                column = np.abs(across - x) <= ALIGNED_PX
                if column.sum() < MIN_TICKS:
                    continue
                found = scale_from_ticks(np.stack([across, along], 1)[column], sizes[column], depth_px, unit_mm)
                # The column of most ticks is the scale; labels beside it can be as regular, with other distances.
                if (len(found.ticks), found.confidence) > (len(best.ticks), best.confidence):
                    on_screen = tuple((float(x), float(y)) for x, y in np.array(found.ticks) @ turn)
                    best = replace(found, ticks=on_screen)
    return best


def _edges(sector: Sector) -> list[NDArray[np.float64]]:
    """Rotations (2x2) that lay a line along one of the fan's edges upright: dots follow the edge on many screens."""
    if sector.fan is None:
        return []
    angles = [side * (sector.fan.half_angle + off) for side in (1, -1) for off in np.deg2rad(EDGE_OFF_DEG)]
    return [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]


def scale_from_ticks(
    points: NDArray[np.float64], sizes: NDArray[np.float64], depth_px: float, unit_mm: float = 0.0
) -> Scale:
    """Ticks in one column (N x 2, any order) with their sizes (summed brightness).

    The unit is 1 cm where every fifth tick is larger, 0.5 cm where every second one is. Without such ticks it is the
    one of the two that alone gives a plausible depth, a zoomed picture's included; where both do, the confidence stays
    below SURE: a scale that is wrong by two makes a volume that is wrong by eight.
    """
    order = np.argsort(points[:, 1])
    rows, sizes = points[order, 1], sizes[order]
    if len(rows) < MIN_TICKS:
        return Scale(None, 0.0, (), f"{len(rows)} marks in a column; {MIN_TICKS} are needed")
    steps = np.diff(rows)
    step = float(np.median(steps))
    if step < 4:
        return Scale(None, 0.0, (), "marks stand too close")
    # Ticks stand on whole pixels: the median is off by up to half a pixel, which adds up along the scale.
    near = steps[np.abs(steps - step) < 0.25 * step]
    if not len(near):
        return Scale(None, 0.0, (), "the marks are not equally spaced along the depth")
    step = float(near.mean())
    places = np.round((rows - rows[0]) / step)
    step, first = (float(v) for v in np.polyfit(places, rows, 1))
    residual = np.abs(rows - (first + places * step)) / step
    distinct = len(np.unique(places))
    regular = float((residual < 0.12).mean()) * min(1.0, distinct / (places[-1] + 1)) * distinct / len(rows)
    spans = float(np.ptp(rows)) / max(depth_px, 1.0)
    if regular < 0.75 or distinct < MIN_TICKS or not 0.6 < spans < 1.3:
        return Scale(None, 0.0, (), "the marks are not equally spaced along the depth")
    least, most = PLAUSIBLE_DEPTH_MM[0] * (1 - ROUNDING), PLAUSIBLE_DEPTH_MM[1] * (1 + ROUNDING)
    plausible = [u for u in UNITS_MM if least <= depth_px * u / step <= most]
    large = places[sizes > LONGER * np.percentile(sizes, 25)]
    periods = set(np.diff(large).tolist()) if len(large) > 1 else set()
    by_length = UNIT_OF_PERIOD.get(periods.pop()) if len(periods) == 1 else None
    if by_length is not None:
        plausible = [u for u in plausible if u == by_length]
    if unit_mm:
        unit, sure = unit_mm, 0.9
    elif not plausible:
        return Scale(None, 0.0, (), "no unit of the ticks gives a plausible depth")
    elif len(plausible) == 1:
        unit, sure = plausible[0], 0.9
    else:
        return Scale(
            None,
            0.4,
            tuple((float(x), float(y)) for x, y in points),
            "ticks may be 0.5 or 1 cm apart; type the depth in (--depth-cm)",
            step,
        )
    ticks = tuple((float(x), float(y)) for x, y in points[order])
    return Scale(float(unit / step), float(sure * regular), ticks, "", step)
