"""Heart rate and rhythm from the moments of end-diastole and end-systole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edge.heart.beats import Event

LAST_BEATS = 5
IRREGULAR = 0.12
"""Root mean square of the differences of neighbouring RR intervals by their mean, from which a rhythm is called
irregular: above 0.1 to 0.12 in atrial fibrillation (Lian et al. 2011), and frames are coarser than an ECG."""
MIN_INTERVALS = 3


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """Beats a minute over the last beats; `is_irregular` is None where too few are known to tell."""

    rate_bpm: float
    is_irregular: bool | None


def rhythm_of(events: Sequence[Event]) -> Rhythm | None:
    """From the newest events of one stretch; None with less than a whole beat, from ED to ED or from ES to ES.

    Intervals of both kinds count, since each mark has its own error. The rate of a regular rhythm leaves out intervals
    that a missed or false mark has made: those a quarter off their median.
    """
    intervals = {kind: _intervals_s(events, kind)[-LAST_BEATS:] for kind in ("ED", "ES")}
    every = np.array([*intervals["ED"], *intervals["ES"]])
    if not len(every):
        return None
    median = float(np.median(every))
    irregular = None
    longest = np.array(max(intervals.values(), key=len))
    if len(longest) >= MIN_INTERVALS:
        differences = np.diff(longest)
        irregular = bool(np.sqrt((differences**2).mean()) / longest.mean() > IRREGULAR)
    usual = every if irregular else every[np.abs(every - median) < 0.25 * median]
    return Rhythm(rate_bpm=60 / float(usual.mean() if len(usual) else median), is_irregular=irregular)


def _intervals_s(events: Sequence[Event], kind: str) -> list[float]:
    of_kind = [event for event in events if event.kind == kind]
    return [b.time_s - a.time_s for a, b in pairwise(of_kind) if a.stretch == b.stretch]
