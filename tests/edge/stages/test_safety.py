from __future__ import annotations

import numpy as np
import pytest

from edge.sources import Captured
from edge.stages.safety import Guard, Limits, SignalCheck

MS = 1_000_000
LIMITS = Limits(signal_ms=150, freeze_ms=150, stuck_ms=150, recover_frames=3)


def noise(seed: int, shape: tuple[int, ...] = (120, 160)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def look(check: SignalCheck, image: np.ndarray, at_s: float) -> str:
    return check.look(Captured(0, image, 0, at_s), at_s)


def test_a_moving_picture_is_good_and_a_still_one_is_frozen_after_its_time() -> None:
    check = SignalCheck(LIMITS)
    assert [look(check, noise(n), n / 30) for n in range(5)] == [""] * 5
    assert look(check, noise(4), 4 / 30 + 0.1) == ""
    assert "FROZEN" in look(check, noise(4), 4 / 30 + 0.15)
    assert look(check, noise(5), 4 / 30 + 0.2) == ""


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((100, 100, 3), np.uint8), "BLACK PICTURE"),
        (np.full((100, 100, 3), (0, 0, 200), np.uint8), "NO PICTURE"),
        (np.full((100, 100), 9, np.uint8), "BLACK PICTURE"),
    ],
)
def test_no_picture(image: np.ndarray, says: str) -> None:
    assert look(SignalCheck(LIMITS), image, 0).startswith(says)


def test_a_new_size_is_no_freeze() -> None:
    check = SignalCheck(LIMITS)
    look(check, noise(0), 0)
    assert look(check, noise(0, (60, 80, 3)), 1) == ""


def test_silence_trips_and_good_frames_bring_the_overlay_back() -> None:
    guard = Guard(LIMITS, live=True)
    guard.captured(0)
    assert guard.state(150 * MS) == ""
    assert guard.state(151 * MS, "cable pulled") == "NO SIGNAL: cable pulled"
    guard.captured(160 * MS)
    for _ in range(2):
        guard.judged("")
        assert guard.state(161 * MS).startswith("NO SIGNAL")
    guard.judged("")
    assert guard.state(161 * MS) == ""
    assert guard.trips == {"no signal": 1}
    guard.source_ended()
    assert guard.state(900 * MS) == ""


def test_a_long_inference_is_stuck_until_it_ends() -> None:
    guard = Guard(LIMITS, live=True)
    guard.captured(0)
    guard.inference_started(0)
    assert guard.state(149 * MS) == ""
    guard.captured(150 * MS)
    assert "STUCK" in guard.state(151 * MS)
    guard.inference_ended()
    for _ in range(3):
        guard.judged("")
    assert guard.state(152 * MS) == ""


def test_a_problem_of_a_frame_is_shown_and_a_recording_has_no_clock() -> None:
    guard = Guard(LIMITS, live=False)
    guard.captured(0)
    guard.inference_started(0)
    assert guard.state(10_000 * MS) == ""
    guard.judged("INVALID OUTPUT: x")
    assert guard.state(10_000 * MS) == "INVALID OUTPUT: x"


def test_a_slow_source_gets_more_time() -> None:
    assert LIMITS.for_rate(60) == LIMITS
    assert LIMITS.for_rate(10).signal_ms == 250
