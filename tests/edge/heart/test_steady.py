from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.heart.steady import Steady, weight_after


def shown(values: str, step_s: float = 0.1) -> str:
    """What is shown of one letter a step; "." is nothing. Changes take 0.25 s, clearing 0.45 s."""
    steady = Steady(".", 0.25, 0.45)
    return "".join(steady.update(k * step_s, value) for k, value in enumerate(values))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("aaa", "aaa"),  # the first holds at once
        ("..aa....", "........"),  # too short
        ("..aaaa..", ".....aaa"),
        ("..abab..", ".....baa"[:5] + "bbb"),  # two reasons in turn still count
        ("aaa......", "aaaaaaaa."),
        ("aa...a.....", "aaaaaaaaaaa"),  # a break in the clearing begins it afresh
        ("aabababa", "aaaaaaaa"),  # alternating with the value that is held changes nothing
        ("aabbbb", "aaaaab"),
    ],
)
def test_only_what_lasts_is_shown(values: str, expected: str) -> None:
    assert shown(values) == expected


def test_a_clock_set_back_does_not_hold_a_value_for_ever() -> None:
    steady = Steady("", 0.3, 1.0)
    steady.update(100.0, "old")
    answers = [steady.update(k / 10, "new") for k in range(10)]
    assert answers[0] == "old"
    assert answers[-1] == "new"


@given(st.floats(0.01, 2), st.integers(1, 8), st.floats(0.1, 3))
def test_the_weight_depends_on_time_and_not_on_the_number_of_frames(
    step_s: float, frames: int, constant_s: float
) -> None:
    kept = (1 - weight_after(step_s / frames, constant_s)) ** frames
    assert kept == pytest.approx(1 - weight_after(step_s, constant_s))
    assert weight_after(-step_s, constant_s) == 1
