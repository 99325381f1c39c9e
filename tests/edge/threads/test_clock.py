from __future__ import annotations

import pytest

from edge.threads.clock import StageClock


def test_percentiles_in_milliseconds_and_order_of_first_use() -> None:
    clock = StageClock()
    for value in range(1, 101):
        clock.add("segment", value * 1_000_000)
    clock.add("draw", 2_000_000)
    table = clock.percentiles_ms()
    assert list(table) == ["segment", "draw"]
    assert table["segment"] == pytest.approx({"p50": 50.5, "p90": 90.1, "p99": 99.01, "max": 100})


def test_the_oldest_samples_give_way() -> None:
    clock = StageClock(capacity=3)
    for value in (9, 9, 1, 2, 3):
        clock.add("x", value * 1_000_000)
    assert clock.percentiles_ms()["x"]["max"] == 3


def test_a_block_is_timed() -> None:
    clock = StageClock()
    with clock.time("x"):
        pass
    assert clock.percentiles_ms()["x"]["max"] > 0
