from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.heart.beats import BeatDetector, Event

pytestmark = pytest.mark.portable


def areas_of(beats: float, fps: float = 30.0, rate: float = 60.0, fac: float = 0.4, start: float = 0.0) -> np.ndarray:
    """Area 30 at ED (phase 0) falling to ES at 0.4 of the beat, with a plateau in diastole."""
    phase = (np.arange(round(beats * 60 / rate * fps)) / (60 / rate * fps) + start) % 1
    knots = [0, 0.05, 0.2, 0.34, 0.4, 0.52, 0.62, 0.85, 0.97, 1]
    return 30 * (1 - fac * np.interp(phase, knots, [0, 0.03, 0.6, 0.97, 1, 0.5, 0.25, 0.2, 0.02, 0]))


def events_of(areas: np.ndarray, fps: float = 30.0, finish: bool = True) -> list[Event]:
    detector = BeatDetector()
    found = [detector.update(k, k / fps, float(area)) for k, area in enumerate(areas)]
    events = [event for event in found if event is not None] + (detector.finish() if finish else [])
    assert events == list(detector.events)
    assert detector.confirmed == len(events)
    return events


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize(("fps", "rate"), [(25.0, 45.0), (25.0, 150.0), (60.0, 45.0), (60.0, 150.0)])
def test_every_beat_has_one_ed_and_one_es_in_its_place(fps: float, rate: float, noise: float) -> None:
    areas = areas_of(5.5, fps, rate, start=0.55)
    areas *= 1 + noise * np.random.default_rng(1).standard_normal(len(areas))
    events = events_of(areas, fps)
    beat_s = 60 / rate
    assert [e.kind for e in events][:10] == ["ED", "ES"] * 5
    for event in events:
        phase = (event.time_s / beat_s + 0.55 - (0.4 if event.kind == "ES" else 0.0) + 0.5) % 1 - 0.5
        assert abs(phase) * beat_s * fps < 2 + 0.05 * beat_s * fps
    assert [e.time_s for e in events] == sorted(e.time_s for e in events)


@pytest.mark.parametrize("fac", [0.05, 0.08])
def test_a_heart_that_hardly_moves_still_beats(fac: float) -> None:
    areas = areas_of(6, fac=fac, start=0.6)
    areas *= 1 + 0.002 * np.random.default_rng(2).standard_normal(len(areas))
    assert [e.kind for e in events_of(areas)][:10] == ["ED", "ES"] * 5


def test_a_still_picture_and_missing_frames_give_no_beats() -> None:
    areas = np.array([20 + 0.3 * (frame % 3) if frame % 5 else 0.0 for frame in range(200)])
    assert not events_of(areas)


@pytest.mark.parametrize("bad", [0.0, 0.3, 1.0, 1.8, 3.0])
@pytest.mark.parametrize("at_s", [2.1, 2.45, 2.8])
def test_a_bad_contour_costs_at_most_its_own_beat(bad: float, at_s: float) -> None:
    """0.3 s of an area far too small, too large, or that of another phase; beats before and after stay as they were."""
    areas = areas_of(7)
    clean = [(e.kind, e.frame) for e in events_of(areas)]
    spoilt = areas.copy()
    spoilt[round(at_s * 30) : round((at_s + 0.3) * 30)] = bad * 30 if bad != 1.0 else areas[round(at_s * 30)]
    found = [(e.kind, e.frame) for e in events_of(spoilt)]
    far = [mark for mark in clean if not 1.3 <= mark[1] / 30 <= 4.1]
    near = {(kind, frame + d) for kind, frame in found for d in (-1, 0, 1)}
    assert set(far) <= near


@pytest.mark.parametrize("fps", [25.0, 50.0])
def test_a_clip_from_ed_to_es_is_a_beat(fps: float) -> None:
    """CAMUS's half sequences begin at ED and end at ES."""
    areas = areas_of(0.4 + 1 / fps, fps)
    assert [e.kind for e in events_of(areas, fps)] == ["ED", "ES"]
    first, last = events_of(areas, fps)
    assert first.frame <= 2
    assert last.frame >= len(areas) - 3


@pytest.mark.parametrize(("start", "length"), [(0.15, 1.0), (0.25, 1.0), (0.0, 0.2)])
def test_a_clip_that_begins_or_ends_within_systole_has_no_mark_there(start: float, length: float) -> None:
    areas = areas_of(length, 50, start=start)
    events = events_of(areas, 50)
    assert not [e for e in events if e.kind == "ED" and e.frame < 5 and start]
    assert not [e for e in events if e.kind == "ES" and e.frame > len(areas) - 5 and not start]


def test_a_dip_in_diastole_is_no_es() -> None:
    """A recording that begins before the atrial kick rises as if from an ES."""
    areas = areas_of(3, 40, start=0.8)
    kinds = [(e.kind, e.frame) for e in events_of(areas, 40)]
    assert kinds[0][0] == "ED"
    assert kinds[1][1] == pytest.approx(24, abs=2)


def test_beats_do_not_span_a_gap_or_a_clock_set_back() -> None:
    detector = BeatDetector()
    areas = areas_of(3)
    for second in (0.0, 20.0, 0.0):
        for k, area in enumerate(areas):
            detector.update(k, second + k / 30, float(area))
    stretches = [e.stretch for e in detector.events]
    assert sorted(set(stretches)) == [0, 1, 2]
    for one, other in pairwise(detector.events):
        assert one.stretch != other.stretch or one.kind != other.kind


def test_a_picture_that_changes_for_good_begins_anew() -> None:
    areas = np.concatenate([areas_of(4), 3 * areas_of(4)])
    events = events_of(areas)
    assert len([e for e in events if e.frame > 160 and e.kind == "ES"]) >= 2


def test_memory_does_not_grow_over_hours() -> None:
    detector = BeatDetector()
    for frame in range(20_000):
        detector.update(frame, frame / 30, 20 + 8 * np.sin(frame / 6))
    assert len(detector.events) <= 256
    assert max(len(detector._since), len(detector._raw), len(detector._sorted)) <= 4 * 30 + 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.4))
def test_marks_alternate_and_advance_whatever_the_curve(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    areas = areas_of(4, start=float(rng.random())) * (1 + noise * rng.standard_normal(120))
    events = events_of(np.maximum(areas, 0))
    for one, other in pairwise(events):
        assert one.stretch != other.stretch or (one.kind != other.kind and one.frame < other.frame)


@pytest.mark.parametrize("before_es_s", [0.07, 0.1, 0.13])
def test_a_clip_that_begins_just_before_es_does_not_begin_at_ed(before_es_s: float) -> None:
    """However gently the rest of the fall begins: a whole systole takes longer."""
    fps = 30.0
    fall = round(before_es_s * fps)
    rest = 21 - 2 * (np.arange(fall) / fall) ** 2
    rise = np.interp(np.arange(18), [0, 17], [19, 30])
    events = events_of(np.concatenate([rest, rise, areas_of(1.4, fps)]), fps)
    assert [e.kind for e in events][:2] == ["ES", "ED"]
