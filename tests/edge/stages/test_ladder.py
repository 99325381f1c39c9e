from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.stages.ladder import CALM, LADDER, MAX_CALM, WINDOW, Ladder


def feed(ladder: Ladder, cost_ms: float, frames: int) -> None:
    for frame in range(frames):
        ladder.observe(frame, cost_ms)


def test_a_machine_in_time_stays_at_full_service() -> None:
    ladder = Ladder(33)
    feed(ladder, 20, 1000)
    assert ladder.level == 0
    assert not ladder.steps


def test_overload_goes_down_step_by_step_and_calm_brings_it_back() -> None:
    ladder = Ladder(33)
    feed(ladder, 100, WINDOW * len(LADDER))
    assert ladder.rung == LADDER[-1]
    assert [step.rung for step in ladder.steps] == list(LADDER[1:])
    feed(ladder, 5, MAX_CALM * len(LADDER))
    assert ladder.level == 0
    assert not ladder.steps[-1].down


def test_a_load_between_the_thresholds_changes_nothing() -> None:
    ladder = Ladder(33)
    feed(ladder, 100, WINDOW)
    level = ladder.level
    feed(ladder, 30, 5000)
    assert ladder.level == level


def test_now_and_then_a_slower_frame_does_not_keep_service_down() -> None:
    ladder = Ladder(33)
    feed(ladder, 100, WINDOW)
    for frame in range(10 * CALM):
        ladder.observe(frame, 25 if frame % 10 == 9 else 15)
    assert ladder.level == 0


def test_late_frames_now_and_then_do() -> None:
    ladder = Ladder(33)
    feed(ladder, 100, WINDOW)
    level = ladder.level
    for frame in range(10 * CALM):
        ladder.observe(frame, 40 if frame % 30 == 29 else 15)
    assert ladder.level == level > 0


def test_a_failed_step_up_doubles_the_wait() -> None:
    ladder = Ladder(33)
    feed(ladder, 100, WINDOW)
    waits = []
    for _ in range(5):
        frames = 0
        while ladder.level:
            ladder.observe(frames, 5)
            frames += 1
        waits.append(frames)
        feed(ladder, 100, WINDOW // 2 + 1)
    assert waits[:4] == [CALM, 2 * CALM, 4 * CALM, 8 * CALM]
    assert waits[4] == MAX_CALM


@given(st.lists(st.floats(0, 200), max_size=400))
def test_the_level_stays_on_the_ladder(costs: list[float]) -> None:
    ladder = Ladder(33)
    for frame, cost in enumerate(costs):
        ladder.observe(frame, cost)
        assert ladder.rung in LADDER


@pytest.mark.parametrize("floor", range(len(LADDER) + 2))
def test_a_board_that_throttles_is_served_no_better_than_its_floor(floor: int) -> None:
    ladder = Ladder(33)
    ladder.floor = floor
    feed(ladder, 5, MAX_CALM * len(LADDER))
    assert ladder.level == min(floor, len(LADDER) - 1)
    ladder.floor = 0
    feed(ladder, 5, MAX_CALM * len(LADDER))
    assert ladder.level == 0
