"""What the numbers on a screen say of its ticks: labels beside them, and the depth that is written somewhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Frame
from edge.screen.digits import Number, read_numbers
from edge.screen.sector import Sector

UNITS_CM = (1.0, 0.5)
"""What neighbouring ticks stand for."""
BESIDE = 5.0
"""A label stands beside its tick, no farther than this many of its heights,"""
LEVEL = 0.3
"""and level with it but for this share of the distance between ticks."""
MIN_LABELS = 2
LABELS_OFF = 0.04
"""By what share the distance of labels may differ from that of their ticks."""
WRITTEN_CM = (3.0, 40.0)
"""A length with its unit within these limits may be the imaging depth."""
DECIMALS = 1
"""Depths are written as 17 or 9.9; a length with more decimals is one that somebody measured."""
SECTOR_OFF = 0.03
"""By what share the depth of the sector that was found may be off."""
WHOLE = 0.15
"""A sector whose probe's face is closer to its apex than this share of its radius is shown whole: of a part of it, the
written depth is not the depth that is seen."""


class Numbers:
    """Those of one screen (HxW uint8), read when they are first asked for."""

    def __init__(self, screen: Frame, sector: Sector) -> None:
        self._screen, self._sector = screen, sector

    @cached_property
    def _read(self) -> list[Number]:
        return read_numbers(self._screen, ~self._sector.mask)

    def unit_of(self, ticks: NDArray[np.float64], step_px: float, turn: NDArray[np.float64], depth_px: float) -> float:
        """mm between neighbouring ticks (N x 2, turned by `turn` (2x2) into a column) that stand `step_px` apart, 0
        where the numbers do not say it. Labels go before the written depth."""
        return 10 * (self._by_labels(ticks, step_px, turn) or self._by_depth(depth_px / step_px))

    def speak_against(self, depth_mm: float) -> bool:
        """Whether a depth is written on the screen, and none that is would be this one."""
        written = self._written() if self._is_whole else []
        return bool(written) and not any(_is_written(depth_mm / 10, number) for number in written)

    def _by_labels(self, ticks: NDArray[np.float64], step_px: float, turn: NDArray[np.float64]) -> float:
        """0 without labels, and where they do not agree."""
        column, first = float(np.median(ticks[:, 0])), float(ticks[:, 1].min())
        labels: dict[tuple[int, float], float] = {}
        for number in self._read:
            across, along = turn @ np.array(number.centre)
            place = (along - first) / step_px
            off = abs(place - round(place))
            if abs(across - column) <= BESIDE * number.height_px and off <= LEVEL and not number.is_cm:
                labels[round(place), number.value] = float(along)
        for unit in UNITS_CM:
            starts = Counter(round(value - unit * place, 2) for place, value in labels)
            start, count = starts.most_common(1)[0] if starts else (0.0, 0)
            if count < MIN_LABELS or 2 * count <= len(labels) or start < -unit:
                continue
            agreed = sorted((v, along) for (p, v), along in labels.items() if round(v - unit * p, 2) == start)
            (low, low_px), (high, high_px) = agreed[0], agreed[-1]
            if high > low and abs((high_px - low_px) / (high - low) * unit / step_px - 1) <= LABELS_OFF:
                return unit
        return 0.0

    def _by_depth(self, steps: float) -> float:
        """From the depth that is written, where the whole sector is shown; 0 where none fits, or two disagree."""
        if not self._is_whole:
            return 0.0
        units = {u for number in self._written() for u in UNITS_CM if _is_written(steps * u, number)}
        return units.pop() if len(units) == 1 else 0.0

    @property
    def _is_whole(self) -> bool:
        fan = self._sector.fan
        return fan is not None and fan.inner_radius < WHOLE * fan.radius

    def _written(self) -> list[Number]:
        least, most = WRITTEN_CM
        # No depth has three digits: a small point was not seen.
        read = [
            replace(n, value=n.value / 10, decimals=1) if n.value >= 100 and not n.decimals else n for n in self._read
        ]
        return [n for n in read if n.is_cm and least <= n.value <= most and n.decimals <= DECIMALS]


def _is_written(depth_cm: float, number: Number) -> bool:
    rounded = 0.5 * 10.0**-number.decimals
    return abs(depth_cm - number.value) <= rounded + SECTOR_OFF * number.value
