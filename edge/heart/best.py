"""The best end-diastolic and end-systolic frame so far, and the best beat, by the quality of the eight regions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.measure import ejection_fraction

NEAR = 2
"""Frames that an event may be away from the frame that stands for it."""
DELAY = 4
"""Frames that the beat detector looks back before it takes a frame into account."""


@dataclass(frozen=True)
class Rated:
    """An ED or ES frame with the mean and the lowest of its eight scores; a region outside the sector counts as 1."""

    kind: str
    analysis: Analysis
    mean: float
    lowest: float

    @property
    def rating(self) -> float:
        """Between the mean and the lowest: one region that is missing costs more than a slight haze over all."""
        return (self.mean + self.lowest) / 2


@dataclass(frozen=True)
class Best:
    """The best frame of each kind and the neighbouring pair whose worse frame is best; None until there is one."""

    ed: Rated | None = None
    es: Rated | None = None
    beat: tuple[Rated, Rated] | None = None

    @property
    def ejection_fraction_percent(self) -> float | None:
        """Of the best beat, where its volumes were not withheld."""
        if self.beat is None:
            return None
        ed_ml, es_ml = (frame.analysis.ventricle.volume_ml for frame in self.beat)
        return ejection_fraction(ed_ml, es_ml) if ed_ml and es_ml is not None else None


def rated(kind: str, analysis: Analysis) -> Rated | None:
    """None where the frame has no regions or no scores."""
    if analysis.regions is None or not np.isfinite(analysis.scores).all():
        return None
    counted = np.where(analysis.regions.included, analysis.scores, 1.0)
    return Rated(kind, analysis, float(counted.mean()), float(counted.min()))


class BestFrames:
    """Keeps the frames that may still turn out to be an ED or an ES, and the best ones: about ten, however long it
    runs.
    """

    def __init__(self) -> None:
        self.best = Best()
        self.confirmed: Analysis | None = None
        """The ED or ES frame that the newest frame's event names; None where it names none."""
        self._kept: dict[int, Analysis] = {}
        self._newest: deque[int] = deque(maxlen=DELAY)
        self._last: Rated | None = None

    def update(self, analysis: Analysis, candidates: Iterable[int]) -> Best:
        """Take one frame; `candidates` are the frame numbers that the beat detector may still name."""
        self.confirmed = None
        if analysis.event is not None:
            self.confirmed = self._nearest(analysis.event.frame)
            self._confirm(analysis.event.kind, self.confirmed)
        number = analysis.frame.number
        self._kept[number] = analysis
        self._newest.append(number)
        wanted = {*candidates, *self._newest}
        self._kept = {number: kept for number, kept in self._kept.items() if number in wanted}
        return self.best

    def _nearest(self, number: int) -> Analysis | None:
        """The kept frame nearest to a number: an event lies between frames, or at a neighbour of a candidate."""
        near = [kept for kept in self._kept if abs(kept - number) <= NEAR]
        return self._kept[min(near, key=lambda kept: abs(kept - number))] if near else None

    def restart(self) -> None:
        """Another picture from here on: what was found stays, what was begun is dropped."""
        self._kept.clear()
        self._newest.clear()
        self._last = None

    def _confirm(self, kind: str, analysis: Analysis | None) -> None:
        found = rated(kind, analysis) if analysis is not None else None
        if found is not None:
            ed, es, beat = self.best.ed, self.best.es, self.best.beat
            if kind == "ED" and (ed is None or found.rating > ed.rating):
                ed = found
            if kind == "ES" and (es is None or found.rating > es.rating):
                es = found
            if self._last is not None and self._last.kind != kind:
                pair = (found, self._last) if kind == "ED" else (self._last, found)
                if beat is None or min(r.rating for r in pair) > min(r.rating for r in beat):
                    beat = pair
            self.best = Best(ed, es, beat)
        self._last = found
