"""Millimetres per pixel by the ticks beside the sector; unknown rather than guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Frame, grey
from edge.screen.dots import edge_dots
from edge.screen.sector import Sector
from edge.screen.units import Numbers

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
OFF = 0.12
"""How far a tick may stand from its place, as a share of the distance between ticks."""
BEYOND = 0.1
"""Ticks stand beside the sector: above and below it no more than this share of the depth."""
EDGE_OFF_DEG = np.arange(-3, 3.1, 0.5)
"""By how much the fan that was found may be wider or narrower than the line of dots beside it."""
SURE, SAID = 0.5, 0.95
OPEN_UNIT = "ticks may be 0.5 or 1 cm apart; type the depth in (--depth-cm)"
CONTRADICTED = "the ticks do not fit the depth that is written on the screen; type the depth in (--depth-cm)"
STRIP_MARGIN_PX, STRIP_GREY, MOVED_SHARE = 4, 40, 0.3
"""The ticks' column is another one when the pixels that differ by STRIP_GREY are this share of those that were lit."""


@dataclass(frozen=True)
class Scale:
    """What the ticks say: mm per pixel (None where unknown), confidence 0-1, ticks used, why it is unknown.

    `step_px` is the distance of neighbouring ticks, 0 without ticks; `is_said` whether numbers on the screen settle
    what they stand for.
    """

    mm_per_px: float | None
    confidence: float
    ticks: tuple[tuple[float, float], ...] = ()
    reason: str = ""
    step_px: float = 0.0
    is_said: bool = False

    @property
    def sure(self) -> bool:
        return self.mm_per_px is not None and self.confidence >= SURE


NO_TICKS = Scale(None, 0.0, (), "no row of equally spaced ticks beside the sector")


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

    `unit_mm` is the distance that two ticks stand for, where a profile knows it; else the numbers on the screen say it
    (see `edge.screen.units`), else the ticks alone (see `scale_from_ticks`).
    """
    height = peak.shape[0]
    black = int(np.bincount(peak.ravel(), minlength=32)[:32].argmax())
    widest, highest = max(4.0, MAX_TICK[0] * height), max(3.0, MAX_TICK[1] * height)
    fan = sector.fan
    depth_px = fan.radius - fan.inner_radius if fan is not None else float(sector.mask.any(1).sum())
    rows = np.flatnonzero(sector.mask.any(1))
    highest_row, lowest_row = rows[0] - BEYOND * depth_px, rows[-1] + BEYOND * depth_px
    best, numbers, axes = NO_TICKS, Numbers(peak, sector), [np.eye(2), *_edges(sector)]
    for bright in BRIGHTS:
        marks = ((peak > black + bright) & ~sector.mask).astype(np.uint8)
        count, _, stats, centres = cv2.connectedComponentsWithStats(marks, connectivity=8)
        small = (stats[1:, cv2.CC_STAT_WIDTH] <= widest) & (stats[1:, cv2.CC_STAT_HEIGHT] <= highest)
        small &= (centres[1:, 1] >= highest_row) & (centres[1:, 1] <= lowest_row)
        points, boxes = centres[1:count][small], stats[1:count][small]
        sizes = np.array([float(peak[t : t + h, x0 : x0 + w].sum()) for x0, t, w, h, _ in boxes])
        for turn in axes:
            turned = points @ turn.T
            for column in _columns(turned):
                found = scale_from_ticks(turned[column], sizes[column], depth_px, unit_mm)
                if found.ticks and not unit_mm:
                    found = _settled(found, numbers, turn, depth_px)
                # A column that numbers explain is the scale, else that of most ticks; labels can be as regular.
                if _rank(found) > _rank(best):
                    best = _on_screen(found, turn)
    if not best.is_said and not unit_mm:
        for dots, step_px, turn in edge_dots(peak, sector):
            line = Scale(None, 0.4, tuple((float(x), float(y)) for x, y in dots), OPEN_UNIT, step_px)
            found = _settled(line, numbers, turn, depth_px)
            if found.is_said and _rank(found) > _rank(best):
                best = _on_screen(found, turn)
    if best.sure and not best.is_said and not unit_mm and numbers.speak_against(depth_px * (best.mm_per_px or 0.0)):
        return replace(best, mm_per_px=None, confidence=0.4, reason=CONTRADICTED)
    return best


def _settled(found: Scale, numbers: Numbers, turn: NDArray[np.float64], depth_px: float) -> Scale:
    """With the unit that numbers on the screen say, where they say one."""
    unit_mm = numbers.unit_of(np.array(found.ticks), found.step_px, turn, depth_px)
    if not unit_mm:
        return found
    return replace(found, mm_per_px=unit_mm / found.step_px, confidence=SAID, reason="", is_said=True)


def _rank(scale: Scale) -> tuple[bool, int, float]:
    return scale.is_said, len(scale.ticks), scale.confidence


def _on_screen(found: Scale, turn: NDArray[np.float64]) -> Scale:
    """With the places of its ticks on the screen: they are given as turned by `turn`."""
    return replace(found, ticks=tuple((float(x), float(y)) for x, y in np.array(found.ticks).reshape(-1, 2) @ turn))


def _edges(sector: Sector) -> list[NDArray[np.float64]]:
    """Rotations (2x2) that lay a line along one of the fan's edges upright: ticks follow the edge on many screens."""
    if sector.fan is None:
        return []
    angles = [side * (sector.fan.half_angle + off) for side in (1, -1) for off in np.deg2rad(EDGE_OFF_DEG)]
    return [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in angles]


def _columns(turned: NDArray[np.float64]) -> Iterator[NDArray[np.intp]]:
    """Which of the points (N x 2) stand in one column, for each column of MIN_TICKS at least."""
    if len(turned) < MIN_TICKS:
        return
    order = np.argsort(turned[:, 0])
    across = turned[order, 0]
    starts = np.unique(np.round(across))
    firsts = np.searchsorted(across, starts - ALIGNED_PX)
    lasts = np.searchsorted(across, starts + ALIGNED_PX, side="right")
    seen: set[tuple[int, int]] = set()
    for first, last in zip(firsts.tolist(), lasts.tolist()):
        if last - first >= MIN_TICKS and (first, last) not in seen:
            seen.add((first, last))
            yield order[first:last]


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
    fits = np.abs(rows - (first + places * step)) < OFF * step
    if len(np.unique(places[fits])) > 2:
        step, first = (float(v) for v in np.polyfit(places[fits], rows[fits], 1))
    residual = np.abs(rows - (first + places * step)) / step
    distinct = len(np.unique(places))
    regular = float((residual < OFF).mean()) * min(1.0, distinct / (places[-1] + 1)) * distinct / len(rows)
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
            OPEN_UNIT,
            step,
        )
    ticks = tuple((float(x), float(y)) for x, y in points[order])
    return Scale(float(unit / step), float(sure * regular), ticks, "", step)
