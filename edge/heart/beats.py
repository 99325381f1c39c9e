"""ED and ES from the area curve alone, frame by frame, without an ECG."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.heart.turn import dwell, reach_of

WINDOW_S = 4.0
"""How far back the range of the curve is taken: two beats at 30 a minute."""
MIN_SWING = 0.025
"""A beat changes the LV area by at least this share of its median."""
NOISE_SWING = 3.0
"""And by this many standard deviations of the smoothed curve's noise."""
RETURN_SHARE = 0.35
"""An extremum is confirmed once the curve has come back by this share of the range."""
RANGE_PERCENT = (4.0, 96.0)
"""Percentiles instead of extremes: one bad contour does not hide the beats of the next seconds."""
BEYOND = 0.6
"""An area this share of the range outside it belongs to no beat, once ED and ES are known."""
STAY_S = 1.0
"""Unless it stays: then the picture has changed, and the curve begins anew."""
SMOOTH_S = 0.08
MIN_APART_S = 0.06
NOISE_EVERY, MIN_NOISE_FRAMES = 8, 24
GAP_S = 0.5
"""Beats do not span a gap in the curve of this length."""
SETTLED_PART, SETTLED_CHANGE = 0.2, 0.22
"""A recording begins at ED where the first fifth of its first fall has less than this share of the fall."""
MIN_SYSTOLE_S = 0.15
"""And where that fall takes this long at least: a ventricle takes longer from ED to ES, also at 180 beats a minute."""
SAME_SHARE = 0.25
"""Two ES of one recording differ by no more than this share of the swing, where one of them is in doubt."""
DWELL_SHARE, MIN_DWELL = 0.05, 5
"""Areas this share of the range from the extreme one are as good as it, where so many frames are near."""
DWELL_AT = {"ED": 0.5, "ES": 0.75}
"""Where in that stretch the event lies: ejection ends slowly, and filling begins at once."""
ENDED_CHANGE = 0.13
"""And ends at ES where the last fifth has less than this."""
MAX_EVENTS = 256


@dataclass(frozen=True, kw_only=True)
class Event:
    """End-diastole ("ED") or end-systole ("ES"): the nearest frame, the moment between frames, the area there.

    Events of one `stretch` of the curve follow each other without a gap.
    """

    kind: str
    frame: int
    time_s: float
    area: float
    stretch: int = 0


class _Sample(NamedTuple):
    frame: int
    time_s: float
    area: float


class BeatDetector:
    """ED (largest) and ES (smallest area). Feed it every frame; memory is bounded by WINDOW_S.

    An extremum counts once the curve has come back from it by RETURN_SHARE of its range over WINDOW_S. The curve's
    first frame counts as ED where the fall from it begins gently; `finish` adds what a recording's end leaves open.
    """

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.confirmed = 0
        """How many there were, those that `events` has lost included: neighbours differ by one."""
        self.stretch = 0
        self._due: deque[Event] = deque()
        self._begin()

    def _begin(self) -> None:
        self._raw: deque[_Sample] = deque()
        self._odd: list[_Sample] = []
        self._smooth: deque[_Sample] = deque()
        self._since: list[_Sample] = []
        self._last: Event | None = None
        self._held: list[Event] = []  # the first marks, until an ES after an ED says whether they are of a beat
        self._starts = False  # whether the first of them is the curve's first frame
        self._median3: list[_Sample] = []
        self._sorted: list[float] = []
        self._noise, self._half = 0.0, 0

    def interrupt(self) -> None:
        """What comes next is another stretch of the curve: another plane, or the same after a freeze."""
        if self._raw:
            self.stretch += 1
        self._begin()

    def update(self, frame: int, time_s: float, area: float) -> Event | None:
        """Take one frame's area; return the extremum that it confirms, if any. Frames without an LV (area 0) are
        skipped."""
        self._take_all(frame, time_s, area)
        if not self._due:
            return None
        self.events.append(self._due.popleft())
        self.confirmed += 1
        return self.events[-1]

    def _take_all(self, frame: int, time_s: float, area: float) -> None:
        if area <= 0:
            return
        newest = self._odd[-1] if self._odd else self._raw[-1] if self._raw else None
        if newest is not None and not 0 < time_s - newest.time_s <= GAP_S:
            self.interrupt()
        sample = _Sample(frame, time_s, area)
        if self._is_beyond(area):
            self._odd.append(sample)
            if time_s - self._odd[0].time_s < STAY_S:
                return
            odd = self._odd
            self.interrupt()
            for kept in odd[:-1]:
                self._take(kept)
        self._odd = []
        self._take(sample)

    def finish(self) -> list[Event]:
        """The recording has ended: what `update` has not returned yet, and the extremum that is still open, where the
        curve has turned or settled there."""
        self._close()
        if not self._starts:
            self._due.extend(self._held)
        self._held = []
        left = list(self._due)
        self._due.clear()
        self.events.extend(left)
        self.confirmed += len(left)
        return left

    def _close(self) -> None:
        if len(self._smooth) < 3 or not self._since:
            return
        swing = self._swing()
        # The last frames have no neighbours to be smoothed with.
        self._since += [sample for sample in self._raw if sample.time_s > self._smooth[-1].time_s]
        newest = self._since[-1]
        high, low = self._extremes()
        if self._is_ed_next():
            if high.area - newest.area > 0.3 * swing and high is not self._since[0]:
                self._confirm("ED", high)
            return
        fall = [s for s in self._since if s.time_s <= low.time_s]
        total = fall[0].area - low.area
        if total < swing:
            return
        before = fall[-1].time_s - SETTLED_PART * (fall[-1].time_s - fall[0].time_s)
        rest = float(np.interp(before, [s.time_s for s in fall], [s.area for s in fall])) - low.area
        known = [
            e.area for e in (*self.events, *self._due, *self._held) if e.kind == "ES" and e.stretch == self.stretch
        ]
        is_low = not known or low.area - float(np.median(known)) < SAME_SHARE * total
        has_turned = newest.area - low.area > 0.3 * swing
        if is_low and (has_turned or rest < ENDED_CHANGE * total):
            self._confirm("ES", low)

    def candidates(self) -> set[int]:
        """Frames that an event may still name or lie next to: the extremes since the last one and those that would
        follow each of them."""
        since = self._since
        if not since:
            return set()
        areas = [s.area for s in since]
        high, low = areas.index(max(areas)), areas.index(min(areas))
        after_high, after_low = areas.index(min(areas[high:]), high), areas.index(max(areas[low:]), low)
        return {since[k].frame for k in (high, low, after_high, after_low)}

    def _take(self, sample: _Sample) -> None:
        self._raw.append(sample)
        while sample.time_s - self._raw[0].time_s > WINDOW_S:
            self._raw.popleft()
        middle = self._next_smooth()
        if middle is None:
            return
        if not self._smooth:  # a recording may begin at ED, before the first frame that has neighbours
            self._keep(self._raw[0])
            self._since.append(self._raw[0])
        self._keep(middle)
        self._since.append(middle)
        while middle.time_s - self._since[0].time_s > WINDOW_S:
            self._since.pop(0)
        swing = self._swing()
        high, low = self._extremes()
        if self._is_ed_next() and high.area - middle.area > swing:
            self._confirm("ED", high)
        elif (self._last is None or not self._is_ed_next()) and middle.area - low.area > swing:
            self._confirm("ES", low)

    def _keep(self, middle: _Sample) -> None:
        """Take a smoothed sample into the window; its areas are also kept in order, for the percentiles."""
        self._smooth.append(middle)
        insort(self._sorted, middle.area)
        while middle.time_s - self._smooth[0].time_s > WINDOW_S:
            del self._sorted[bisect_left(self._sorted, self._smooth.popleft().area)]
        if middle.frame % NOISE_EVERY == 0 and len(self._smooth) > MIN_NOISE_FRAMES:
            # Third differences leave hardly anything of the beat; white noise grows by the root of 20 in them.
            thirds = np.diff([s.area for s in self._smooth], 3)
            self._noise = 1.4826 * float(np.median(np.abs(thirds))) / 20**0.5

    def _next_smooth(self) -> _Sample | None:
        """The newest sample whose neighbours are known, as the mean of medians of three over about SMOOTH_S."""
        raw = self._raw
        if len(raw) < 3:
            return None
        self._median3.append(raw[-2]._replace(area=sorted(s.area for s in (raw[-3], raw[-2], raw[-1]))[1]))
        if len(raw) == 3:
            self._half = int(SMOOTH_S / (raw[-1].time_s - raw[0].time_s) + 0.25)
        around = self._median3 = self._median3[-(2 * self._half + 1) :]
        if len(around) <= 2 * self._half:
            return None
        return around[self._half]._replace(area=sum(s.area for s in around) / len(around))

    def _is_ed_next(self) -> bool:
        return self._last is None or self._last.kind == "ES"

    def _is_beyond(self, area: float) -> bool:
        """Whether an area lies far outside the range of what was seen, once two beats were."""
        if sum(e.stretch == self.stretch for e in islice(reversed(self.events), 4)) < 4:
            return False
        low, high = self._range()
        return not low - BEYOND * (high - low) <= area <= high + BEYOND * (high - low)

    def _range(self) -> tuple[float, float]:
        last = len(self._sorted) - 1
        low, high = (self._sorted[round(p / 100 * last)] for p in RANGE_PERCENT)
        return low, high

    def _swing(self) -> float:
        """What the curve must come back by."""
        low, high = self._range()
        median = self._sorted[len(self._sorted) // 2]
        return max(MIN_SWING * median, NOISE_SWING * self._noise, RETURN_SHARE * (high - low))

    def _extremes(self) -> tuple[_Sample, _Sample]:
        """(highest, lowest) since the last event, not closer to it than a heart can."""
        from_s = self._last.time_s + MIN_APART_S if self._last is not None else -np.inf
        since = [s for s in self._since if s.time_s >= from_s] or self._since[-1:]
        return max(since, key=lambda s: s.area), min(since, key=lambda s: s.area)

    def _confirm(self, kind: str, at: _Sample) -> None:
        """Record an extremum and look for the opposite one from there on."""
        is_start = self._last is None and at is self._since[0]
        event = self._fitted(kind, at)
        if is_start:  # the curve does not turn there as far as one can see
            event = replace(event, frame=at.frame, time_s=at.time_s)
        if self._last is None or self._held:
            self._starts |= is_start
            self._held.append(event)
            if kind == "ES" and len(self._held) > 1:
                self._release(at)
        else:
            self._due.append(event)
        self._since = [s for s in self._since if s.time_s >= at.time_s]
        self._last = event

    def _release(self, low: _Sample) -> None:
        """The first fall from ED to ES is known: the marks before it count where they fit it."""
        first, *_, ed, es = self._held if len(self._held) > 2 else (self._held[0], *self._held)
        if first is ed:
            fits = not self._starts or (low.time_s - ed.time_s >= MIN_SYSTOLE_S and self._starts_gently(ed, low))
        else:  # an ES that nothing fell to: as low as the next one, or it was a dip in diastole
            fits = not self._starts and first.area - es.area < SAME_SHARE * (ed.area - es.area)
        self._due.extend(self._held if fits else self._held[1:])
        self._held = []

    def _starts_gently(self, first: Event, low: _Sample) -> bool:
        """Whether the curve's first fall begins as at ED, and not in the middle of it."""
        times, areas = zip(*((s.time_s, s.area) for s in self._since if s.time_s <= low.time_s))
        early_s = first.time_s + SETTLED_PART * (low.time_s - first.time_s)
        return first.area - float(np.interp(early_s, times, areas)) < SETTLED_CHANGE * (first.area - low.area)

    def _fitted(self, kind: str, at: _Sample) -> Event:
        """The event within the frames that are nearly as extreme as `at`."""
        times, areas = self._around(at.time_s)
        moment_s = at.time_s
        if len(times) >= MIN_DWELL:
            low, high = self._range()
            from_s, to_s = dwell(times, areas if kind == "ES" else -areas, DWELL_SHARE * (high - low))
            middle_s = from_s + DWELL_AT[kind] * (to_s - from_s)
            if self._last is None or middle_s >= self._last.time_s + MIN_APART_S:  # noise may dwell before it
                moment_s = middle_s
        nearest = min(self._raw, key=lambda s: abs(s.time_s - moment_s))
        return Event(kind=kind, frame=nearest.frame, time_s=moment_s, area=at.area, stretch=self.stretch)

    def _around(self, moment_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(times in s, raw areas) of the samples that an extremum at this moment is fitted to."""
        raw = list(self._raw)
        period_s = (raw[-1].time_s - raw[0].time_s) / max(len(raw) - 1, 1)
        reach_s = reach_of(period_s, None if self._last is None else moment_s - self._last.time_s)
        near = [s for s in raw if abs(s.time_s - moment_s) <= reach_s + 1e-9]
        return np.array([s.time_s for s in near]), np.array([s.area for s in near])
