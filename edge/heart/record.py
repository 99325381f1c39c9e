"""What is known of one patient's heart: the finished beats of each view, and what they come to together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from edge.heart.beat import Beat, quality_of, shape_at
from edge.heart.beats import MAX_EVENTS, WINDOW_S, Event
from edge.heart.biplane import Biplane, biplane_of
from edge.heart.fitted import ONE_PLANE
from edge.heart.interval import interval_percent, unsure
from edge.heart.rhythm import LAST_BEATS, Rhythm, rhythm_of
from edge.heart.shape import Shape
from edge.heart.turn import reach_of
from edge.heart.withhold import DISC_VIEWS

MIN_SYSTOLE_S, MAX_SYSTOLE_S = 0.08, 0.8
"""ED to ES: a pair further apart is of two beats."""
MAX_DIASTOLE_S = 1.6


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Median of the last `n` beats, and the lowest and the highest of them."""

    median: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Heart:
    """The last beats of one view, `age_s` after the newest was finished, and both planes' together. What is not known
    is None.

    EF, FAC, strain (of the contour) and sphericity need no scale; MAPSE is the mean of both points, the long axis that
    at ED, the left atrium that at ES. Discs, and with them EF and volumes, are of A4C and A2C alone. Of 100 patients 90
    have an EF within `ef_interval90_percent`. Volumes per m2 of body surface are biplane where that is known. `unsure`
    says why no EF is given where a beat has one; `reason` why millimetres, or a beat, are not believed. The names are
    those of the outputs.
    """

    view: str = ""
    age_s: float = 0.0
    rhythm: Rhythm | None = None
    ef_percent: Figure | None = None
    ef_interval90_percent: tuple[float, float] | None = None
    edv_ml: Figure | None = None
    esv_ml: Figure | None = None
    sv_ml: Figure | None = None
    co_l_min: Figure | None = None
    fac_percent: Figure | None = None
    strain_percent: Figure | None = None
    mapse_mm: Figure | None = None
    lv_length_mm: Figure | None = None
    sphericity: Figure | None = None
    la_volume_ml: Figure | None = None
    biplane: Biplane | None = None
    body_surface_m2: float | None = None
    edv_ml_m2: float | None = None
    esv_ml_m2: float | None = None
    la_volume_ml_m2: float | None = None
    unsure: str = ""
    reason: str = ""


NO_HEART = Heart()


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An ED or ES frame, and the LV's volume there in ml by discs of one plane where it is known."""

    kind: str
    frame: int
    volume_ml: float | None


class HeartRecord:
    """Keep one a patient: it outlives freezes, cuts and other sectors, whose beats `interrupt` keeps apart."""

    def __init__(self, body_surface_m2: float | None = None) -> None:
        """`body_surface_m2` is this patient's, None where it is not known."""
        self._body_m2 = body_surface_m2
        self.is_fitted = False
        """Whether the interval of EF was fitted to the networks that run: without, EF has none."""
        self.beats: dict[str, deque[Beat]] = {}
        """The last beats of each view, oldest first; "" is the view that is not known."""
        self.heart = NO_HEART
        self.marks: deque[Mark] = deque(maxlen=MAX_EVENTS)
        """Every ED and ES so far, whatever plane it was seen in."""
        self._events: deque[Event] = deque(maxlen=2 * LAST_BEATS + 2)
        self._recent: deque[tuple[float, Shape, float | None]] = deque()
        self._before: tuple[Event, Shape, float | None] | None = None
        self._biplane: Biplane | None = None
        self._clock_s = self._newest_s = self._beat_s = 0.0

    def interrupt(self) -> None:
        """What comes next is another scene, plane or sector: no beat spans the two, and the rhythm is counted anew."""
        self._recent.clear()
        self._events.clear()
        self._before = None

    def update(
        self, time_s: float, view: str, shape: Shape | None, events: Iterable[Event], quality: float | None = None
    ) -> Heart:
        """Take one frame: its shape, None where it may not be measured, the ED or ES that it confirms, and how well its
        wall is seen (`seen_in`)."""
        self._clock_s += max(0.0, time_s - self._newest_s)  # a clock that is set back makes no beat younger
        self._newest_s = time_s
        if shape is not None:
            self._recent.append((time_s, shape, quality))
        while self._recent and not 0 <= time_s - self._recent[0][0] <= WINDOW_S:
            self._recent.popleft()
        news = [event for event in events if self._take(event, view)]
        if news:
            self.heart = self._summed(view)
        if self.heart.fac_percent is not None:
            self.heart = replace(self.heart, age_s=self._clock_s - self._beat_s)
        return self.heart

    def close(self, view: str, events: Iterable[Event]) -> Heart:
        """Take what a recording's end has confirmed."""
        return self.update(self._newest_s, view, None, events)

    @property
    def ejection_fractions(self) -> list[float]:
        """EF in percent of each of the last beats of the view that `heart` is of, oldest first; empty where it has no
        discs."""
        beats = self.beats.get(self.heart.view, ()) if self.heart.view in DISC_VIEWS else ()
        return [beat.ef_percent for beat in beats]

    def impossible_in_mm(self, view: str) -> str:
        """Why the newest beat of a view cannot have the scale it was measured with, or ""."""
        beats = self.beats.get(view)
        return beats[-1].impossible_in_mm if beats else ""

    def _take(self, event: Event, view: str) -> bool:
        """Whether an event changes what is known."""
        if self._events and self._events[-1].stretch != event.stretch:
            self._events.clear()
            self._before = None
        self._events.append(event)
        shape, quality = self._seen_around(event)
        has_discs = shape is not None and shape.in_mm and view in DISC_VIEWS
        volume_ml = shape.volume if shape is not None and has_discs else None
        self.marks.append(Mark(kind=event.kind, frame=event.frame, volume_ml=volume_ml))
        before, self._before = self._before, (event, shape, quality) if shape is not None else None
        if before is None or shape is None or before[0].kind == event.kind:
            return True
        apart_s = event.time_s - before[0].time_s
        worse = None if quality is None or before[2] is None else min(quality, before[2])
        if event.kind == "ES" and MIN_SYSTOLE_S <= apart_s <= MAX_SYSTOLE_S:
            ed_frame, es_frame, ed, es = before[0].frame, event.frame, before[1], shape
        elif event.kind == "ED" and apart_s <= MAX_DIASTOLE_S and not self.beats.get(view):
            ed_frame, es_frame, ed, es = event.frame, before[0].frame, shape, before[1]
        else:
            return True
        borrows_ed = event.kind == "ED"
        beat = Beat(view=view, ed_frame=ed_frame, es_frame=es_frame, ed=ed, es=es, quality=worse, borrows_ed=borrows_ed)
        if beat.impossible:
            self.heart = replace(self.heart, reason=beat.impossible)
            return False
        whole = [known for known in self.beats.get(view, ()) if not known.borrows_ed]
        self.beats[view] = deque([*whole, beat], maxlen=LAST_BEATS)
        self._beat_s = self._clock_s
        a4c, a2c = (self._believed(plane) for plane in DISC_VIEWS)
        self._biplane = biplane_of(a4c, a2c, self.is_fitted) or self._biplane
        return True

    def _seen_around(self, event: Event) -> tuple[Shape | None, float | None]:
        """Shape and quality at an event, from the frames around it that could be measured; None without any."""
        if not self._recent:
            return None, None
        times = [time_s for time_s, _, _ in self._recent]
        period_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        other = self._events[-2].time_s if len(self._events) > 1 else None
        reach_s = reach_of(period_s, None if other is None else event.time_s - other)
        near = [seen for seen in self._recent if abs(seen[0] - event.time_s) <= reach_s]
        if not near:
            return None, None
        qualities = [quality for _, _, quality in near if quality is not None]
        shape = shape_at([(time_s, shape) for time_s, shape, _ in near], event.time_s)
        return shape, float(np.median(qualities)) if qualities else None

    def _summed(self, view: str) -> Heart:
        last = list(self.beats.get(view, ()))
        rhythm = rhythm_of(self._events) or self.heart.rhythm
        if not last:  # the beats of the view before stand until this one has its own
            return replace(self.heart, rhythm=rhythm)
        reason = last[-1].impossible_in_mm
        in_mm = [beat for beat in last if beat.in_mm and not beat.impossible_in_mm] if not reason else []
        discs, discs_mm = (beats if view in DISC_VIEWS else [] for beats in (last, in_mm))
        stroke_ml = [beat.ed.volume - beat.es.volume for beat in discs_mm]
        atria = [beat.atrial_volume / 1000 for beat in in_mm if beat.atrial_volume is not None]
        ef = _figure(discs, lambda beat: beat.ef_percent)
        quality, interval, doubt = quality_of(discs) if self.is_fitted else None, None, ""
        if ef is not None and quality is not None:
            interval = interval_percent(ef.median, ONE_PLANE, quality, (ef.high - ef.low) / 2)
            doubt = unsure(ONE_PLANE, quality)
        heart = Heart(
            view=view,
            rhythm=rhythm,
            ef_percent=None if doubt else ef,
            ef_interval90_percent=None if doubt else interval,
            edv_ml=_figure(discs_mm, lambda beat: beat.ed.volume),
            esv_ml=_figure(discs_mm, lambda beat: beat.es.volume),
            sv_ml=figure_of(stroke_ml),
            co_l_min=figure_of([ml * rhythm.rate_bpm / 1000 for ml in stroke_ml]) if rhythm else None,
            fac_percent=_figure(last, lambda beat: beat.fac_percent),
            strain_percent=_figure(last, lambda beat: beat.strain_percent),
            mapse_mm=_figure(in_mm, lambda beat: float(np.mean(beat.mapse))),
            lv_length_mm=_figure(in_mm, lambda beat: beat.ed.length),
            sphericity=_figure(last, lambda beat: beat.ed.sphericity),
            la_volume_ml=figure_of(atria),
            biplane=self._biplane,
            unsure=doubt,
            reason=reason,
        )
        return _indexed(heart, self._body_m2) if self._body_m2 else heart

    def _believed(self, view: str) -> list[Beat]:
        return [beat for beat in self.beats.get(view, ()) if beat.in_mm and not beat.impossible_in_mm]


def _indexed(heart: Heart, body_m2: float) -> Heart:
    """With its volumes per m2 of body surface."""
    both = heart.biplane
    volumes: dict[str, Any] = {}
    for name in ("edv_ml", "esv_ml", "la_volume_ml"):
        figure: Figure | None = getattr(heart, name)
        volume = getattr(both, name) if both is not None else None
        if volume is None and figure is not None:
            volume = figure.median
        volumes[f"{name}_m2"] = None if volume is None else volume / body_m2
    return replace(heart, body_surface_m2=body_m2, **volumes)


def figure_of(values: Sequence[float]) -> Figure | None:
    """None without values."""
    if not values:
        return None
    return Figure(median=float(np.median(values)), low=min(values), high=max(values), n=len(values))


def _figure(beats: Sequence[Beat], value: Callable[[Beat], float]) -> Figure | None:
    return figure_of([value(beat) for beat in beats])


def known(heart: Heart) -> dict[str, Any]:
    """What is known of a heart as plain values for an output: figures as {"median", "low", "high", "n"}, rounded."""
    found = {key: _plain(value) for key, value in asdict(heart).items() if value not in (None, "") and key != "rhythm"}
    found["age_s"] = round(heart.age_s, 2)
    if heart.rhythm is not None:
        found["heart_rate_bpm"] = round(heart.rhythm.rate_bpm, 1)
        found["is_irregular"] = heart.rhythm.is_irregular
    return found if len(found) > 1 else {}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if part not in (None, "")}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value
