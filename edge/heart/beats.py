"""ED and ES from the area curve alone, and the ejection fractions of the beats between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge.heart.measure import ejection_fraction

MIN_SWING = 0.08
"""A beat changes the LV area by at least this share of its mean; less is noise."""
REFERENCE_SWING = 0.35
"""An extremum is confirmed once the curve has come back by this share of the range."""
WINDOW = 300
MAX_EVENTS = 256


@dataclass(frozen=True)
class Event:
    """End-diastole ("ED") or end-systole ("ES"): frame number, area as given and volume in ml where it is known."""

    kind: str
    frame: int
    area: float
    volume_ml: float | None


class BeatDetector:
    """ED (largest) and ES (smallest area) from the area curve alone, frame by frame, without an ECG.

    An extremum counts once the curve has moved back from it by REFERENCE_SWING of the range over the last WINDOW
    frames. The curve's first frame never counts, since what came before is unknown. Memory is bounded.
    """

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.confirmed = 0
        """How many there were, those that `events` has lost included: neighbours differ by one."""
        self._recent: deque[Event] = deque(maxlen=3)
        self._window: deque[float] = deque(maxlen=WINDOW)
        self._since: deque[Event] = deque(maxlen=WINDOW)  # candidates since the last event, kind ""
        self._last = ""
        self._first_frame: int | None = None

    def update(self, frame: int, area: float, volume_ml: float | None) -> Event | None:
        """Take one frame's area; return the extremum that it confirms, if any. Frames without an LV (area 0) are
        skipped.
        """
        if area <= 0:
            return None
        self._recent.append(Event("", frame, area, volume_ml))
        if len(self._recent) < 3:
            return None
        # The median of three frames belongs to the middle one: the newest is judged when its successor is known.
        smooth = sorted(e.area for e in self._recent)[1]
        middle = self._recent[1]
        if self._first_frame is None:
            self._first_frame = middle.frame
        self._window.append(smooth)
        self._since.append(replace(middle, area=smooth))
        mean = sum(self._window) / len(self._window)
        swing = max(MIN_SWING * mean, REFERENCE_SWING * (max(self._window) - min(self._window)))
        high = max(self._since, key=lambda e: e.area)
        low = min(self._since, key=lambda e: e.area)
        if self._last != "ED" and high.area - smooth > swing:
            return self._confirm("ED", high)
        if self._last != "ES" and smooth - low.area > swing:
            return self._confirm("ES", low)
        return None

    def candidates(self) -> set[int]:
        """Frames that an event may still name: the extremes since the last one, and those that would follow each of
        them.
        """
        since = list(self._since)
        if not since:
            return set()
        areas = [e.area for e in since]
        high, low = areas.index(max(areas)), areas.index(min(areas))
        after_high, after_low = areas.index(min(areas[high:]), high), areas.index(max(areas[low:]), low)
        return {since[k].frame for k in (high, low, after_high, after_low)}

    def _confirm(self, kind: str, at: Event) -> Event | None:
        """Record an extremum and look for the opposite one from there on."""
        while self._since[0].frame < at.frame:
            self._since.popleft()
        self._last = kind
        if at.frame == self._first_frame:
            return None
        event = replace(at, kind=kind)
        self.events.append(event)
        self.confirmed += 1
        return event


def ejection_fractions(events: Sequence[Event]) -> list[float]:
    """EF in percent of each pair of neighbouring ED and ES, in either order, whose volumes are known."""
    fractions = []
    for one, other in zip(events, list(events)[1:]):
        ed, es = (one, other) if one.kind == "ED" else (other, one)
        if ed.kind != es.kind and ed.volume_ml and es.volume_ml is not None:
            fractions.append(ejection_fraction(ed.volume_ml, es.volume_ml))
    return fractions
