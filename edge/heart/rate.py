"""The heart rate from the beats' ED and ES, without an ECG."""

from __future__ import annotations

from collections import deque

import numpy as np

from edge.heart.beats import Event

FRAMES = 300
"""An event names an earlier frame: as many are remembered as the beat detector looks back over."""
BEATS = 6
SLOWEST_S, FASTEST_S = 2.5, 0.25
"""Longest and shortest beat that counts: 24 to 240 a minute. One that was missed makes a beat of two."""


class HeartRate:
    """Takes every frame. `bpm` is 60 over the median of the newest beats, from ED to ED and from ES to ES, None before
    the first."""

    def __init__(self) -> None:
        self._times_s: dict[int, float] = {}
        self._last_s: dict[str, float] = {}
        self._beats_s: deque[float] = deque(maxlen=BEATS)

    def update(self, frame: int, time_s: float, event: Event | None) -> None:
        """One frame's number and time, and the event that it confirms."""
        if self._times_s and time_s < next(reversed(self._times_s.values())):
            self.forget()  # the source begins again
        self._times_s[frame] = time_s
        if len(self._times_s) > FRAMES:
            del self._times_s[next(iter(self._times_s))]
        at_s = self._times_s.get(event.frame) if event is not None else None
        if event is None or at_s is None:
            return
        beat_s = at_s - self._last_s.get(event.kind, -np.inf)
        self._last_s[event.kind] = at_s
        if FASTEST_S <= beat_s <= SLOWEST_S:
            self._beats_s.append(beat_s)
        elif np.isfinite(beat_s):
            self._beats_s.clear()

    @property
    def bpm(self) -> float | None:
        return 60 / float(np.median(self._beats_s)) if self._beats_s else None

    def forget(self) -> None:
        """Another recording or patient begins."""
        self._times_s.clear()
        self._last_s.clear()
        self._beats_s.clear()
