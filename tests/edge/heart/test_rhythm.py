from __future__ import annotations

import numpy as np
import pytest

from edge.heart.beats import Event
from edge.heart.rhythm import rhythm_of

pytestmark = pytest.mark.portable


def events(starts_s: np.ndarray, systole_s: float = 0.3, stretch: int = 0) -> list[Event]:
    found = []
    for start_s in starts_s.tolist():
        for kind, time_s in (("ED", start_s), ("ES", start_s + systole_s)):
            found.append(Event(kind=kind, frame=round(30 * time_s), time_s=time_s, area=1.0, stretch=stretch))
    return found


def test_the_rate_of_a_regular_rhythm() -> None:
    found = rhythm_of(events(np.arange(6) * 0.8))
    assert found is not None
    assert found.rate_bpm == pytest.approx(75)
    assert found.is_irregular is False


def test_atrial_fibrillation_is_irregular() -> None:
    intervals = np.array([0.55, 0.9, 0.62, 1.05, 0.7])
    found = rhythm_of(events(np.concatenate([[0], np.cumsum(intervals)])))
    assert found is not None
    assert found.is_irregular is True
    assert found.rate_bpm == pytest.approx(60 / intervals.mean(), rel=0.05)


def test_frames_alone_make_no_rhythm_irregular() -> None:
    starts_s = np.round(np.arange(8) * 0.43 * 25) / 25
    found = rhythm_of(events(starts_s, 0.16))
    assert found is not None
    assert found.is_irregular is False


def test_one_missed_beat_does_not_change_the_rate() -> None:
    found = rhythm_of(events(np.array([0.0, 0.8, 1.6, 3.2, 4.0])))
    assert found is not None
    assert found.rate_bpm == pytest.approx(75) or found.is_irregular


def test_less_than_a_beat_has_no_rate() -> None:
    assert rhythm_of(events(np.array([0.0]))) is None
    apart = [*events(np.array([0.0])), *events(np.array([1.0]), stretch=1)]
    assert rhythm_of(apart) is None
