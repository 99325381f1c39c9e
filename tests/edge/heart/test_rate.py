from __future__ import annotations

import pytest

from edge.heart.beats import Event
from edge.heart.rate import HeartRate


def rate_of(bpm: float, fps: float = 30.0, kept: int = 1, seconds: float = 10.0, delay: int = 4) -> float | None:
    """What is read from ED at the beginning and ES at a third of each beat, each confirmed `delay` frames later."""
    rate, beat = HeartRate(), 60 / bpm * fps
    marks = {round(k * beat): "ED" for k in range(1, 99)} | {round((k + 0.3) * beat): "ES" for k in range(1, 99)}
    for number in range(0, round(seconds * fps), kept):
        kind = next((marks[n] for n in range(number - delay - kept + 1, number - delay + 1) if n in marks), "")
        at = number - delay - (number - delay) % kept
        rate.update(number, number / fps, Event(kind, at, 1.0, None) if kind else None)
    return rate.bpm


@pytest.mark.parametrize("bpm", [40, 72, 110, 160])
@pytest.mark.parametrize("kept", [1, 3])
def test_the_rate_of_a_regular_heart(bpm: float, kept: int) -> None:
    assert rate_of(bpm, kept=kept) == pytest.approx(bpm, rel=0.1)


def test_no_rate_before_a_whole_beat() -> None:
    assert rate_of(60, seconds=1.9) is None


def test_a_source_that_begins_again_and_another_patient_are_other_hearts() -> None:
    rate = HeartRate()
    for number, kind in ((0, "ED"), (30, "ED")):
        rate.update(number, number / 30, Event(kind, number, 1.0, None))
    assert rate.bpm == pytest.approx(60)
    rate.update(31, 0.0, None)
    assert rate.bpm is None
    rate.update(61, 1.0, Event("ED", 61, 1.0, None))
    assert rate.bpm is None
    rate.update(91, 2.0, Event("ED", 91, 1.0, None))
    rate.forget()
    assert rate.bpm is None


def test_a_pause_between_beats_is_no_beat() -> None:
    rate = HeartRate()
    for number in (0, 30, 60, 200):
        rate.update(number, number / 30, Event("ED", number, 1.0, None))
    assert rate.bpm is None
