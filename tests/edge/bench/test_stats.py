from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bench.stats import jitter_ms, percentiles, ratio_interval, thinned


def test_percentiles_and_the_tail_that_is_not_claimed() -> None:
    found = percentiles(np.arange(1, 101))
    assert (found.p50, found.p90, found.p99, found.max, found.samples) == (50.5, 90.1, 99.01, 100, 100)
    assert found.p99_9 is None
    assert percentiles(np.arange(5000)).p99_9 == pytest.approx(4994.0, abs=1)
    with pytest.raises(ValueError, match="no durations"):
        percentiles([])


@pytest.mark.parametrize(
    ("intervals", "expected"), [([20, 20, 20], 0.0), ([10, 30, 10], 20.0), ([5], None), ([], None)]
)
def test_jitter_is_the_change_between_neighbours(intervals: list[float], expected: float | None) -> None:
    assert jitter_ms(intervals) == expected


@given(st.lists(st.floats(0, 1e3), max_size=60), st.integers(2, 20))
def test_thinned_keeps_ends_and_order(values: list[float], keep: int) -> None:
    few = thinned(values, keep)
    assert len(few) == min(len(values), keep)
    if values:
        assert (few[0], few[-1]) == (values[0], values[-1])


@pytest.mark.parametrize("true_ratio", [0.8, 1.0, 1.3])
def test_ratio_interval_holds_the_true_ratio(true_ratio: float) -> None:
    rng = np.random.default_rng(3)
    base, new = rng.gamma(20, 0.5, 1500), rng.gamma(20, 0.5, 1500) * true_ratio
    ratio, low, high = ratio_interval(base, new)
    assert low < true_ratio < high
    assert low < ratio < high
    assert high - low < 0.1


def test_a_series_with_memory_is_less_certain_than_an_independent_one() -> None:
    rng = np.random.default_rng(1)
    independent = rng.normal(10, 1, 2000)
    slow = 10 + np.convolve(rng.normal(0, 1, 2099), np.ones(100) / 10, "valid")  # the same spread, but neighbours agree
    _, low, high = ratio_interval(independent, independent)
    _, slow_low, slow_high = ratio_interval(slow, slow)
    assert slow_high - slow_low > 1.5 * (high - low)
