from __future__ import annotations

import numpy as np
import pytest

from edge.heart.turn import dwell, fit_turn, reach_of, value_at_turn

pytestmark = pytest.mark.portable
TIMES_S = np.arange(-4, 5) / 30


def curve(turn_s: float) -> np.ndarray:
    """Falls slowly to 40 and rises five times as fast."""
    apart = TIMES_S - turn_s
    return 40 + 300 * np.minimum(apart, 0) ** 2 + 1500 * np.maximum(apart, 0) ** 2


@pytest.mark.parametrize("turn_s", [-0.02, 0.0, 0.013])
def test_an_uneven_valley_is_found_between_frames(turn_s: float) -> None:
    moment_s, weights = fit_turn(TIMES_S, curve(turn_s), 0.0, 0.05)
    assert moment_s == pytest.approx(turn_s, abs=0.003)
    assert value_at_turn(TIMES_S, curve(turn_s)[:, None], moment_s, weights)[0] == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize("turn_s", [-0.02, 0.0, 0.013])
def test_a_valley_is_left_and_come_back_to_between_frames(turn_s: float) -> None:
    from_s, to_s = dwell(TIMES_S, curve(turn_s), 1.5)
    assert from_s < turn_s < to_s
    assert turn_s - from_s > to_s - turn_s  # it falls slowly and rises fast
    later_from_s, later_to_s = dwell(TIMES_S + 1, curve(turn_s), 1.5)
    assert (later_from_s - 1, later_to_s - 1) == pytest.approx((from_s, to_s))


@pytest.mark.parametrize("lowest", [3, 5])
def test_noise_in_a_flat_valley_does_not_move_it(lowest: int) -> None:
    values = np.array([60, 50, 41, 41, 41, 41, 41, 50, 60], float)
    plain = dwell(TIMES_S, values, 2.0)
    values[lowest] = 40
    assert dwell(TIMES_S, values, 2.0) == pytest.approx(plain, abs=0.012)


@pytest.mark.parametrize("frame", range(2, 7))
def test_one_bad_contour_hardly_counts(frame: int) -> None:
    values = curve(0.01)
    good = np.mean(dwell(TIMES_S, values, 1.5))
    values[frame] *= 0.7
    assert np.mean(dwell(TIMES_S, values, 1.5)) == pytest.approx(good, abs=0.025)
    moment_s, weights = fit_turn(TIMES_S, values, 0.0, 0.05)
    assert weights[frame] == 0
    assert moment_s == pytest.approx(0.01, abs=0.01)
    assert value_at_turn(TIMES_S, values[:, None], moment_s, weights)[0] == pytest.approx(40, abs=0.8)


def test_a_recording_that_ends_at_the_turn() -> None:
    half = slice(0, 5)
    assert dwell(TIMES_S[half], curve(0.0)[half], 1.5)[1] == TIMES_S[4]
    rows = np.stack([curve(0.0), 2 * curve(0.0)], axis=1)[half]
    moment_s, weights = fit_turn(TIMES_S[half], rows[:, 0], 0.0, 0.02)
    assert value_at_turn(TIMES_S[half], rows, moment_s, weights) == pytest.approx([40, 80], abs=1)


def test_the_reach_follows_rate_and_frame_rate() -> None:
    assert reach_of(1 / 60, None) == pytest.approx(0.12)
    assert reach_of(1 / 60, 0.2) == pytest.approx(0.05)
    assert reach_of(1 / 25, 0.1) == pytest.approx(2.6 / 25)
