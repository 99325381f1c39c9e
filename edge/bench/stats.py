"""What is said of a series of durations: percentiles, jitter, and how sure a ratio of two series is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000
KEPT_SAMPLES = 2000
"""Samples of a run that stay in its result file, for plots and comparisons."""
TAIL_SAMPLES = 5
"""A percentile is given only where at least this many samples lie beyond it."""


class Percentiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of `samples` durations in ms; p99.9 is None where fewer than TAIL_SAMPLES lie beyond it."""

    samples: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float
    p99_9: float | None = msgspec.field(default=None, name="p99.9")


def percentiles(values_ms: ArrayLike) -> Percentiles:
    """Percentiles of a non-empty series in ms, rounded to 0.1 µs. ValueError for an empty one."""
    values = np.asarray(values_ms, np.float64)
    if values.size == 0:
        raise ValueError("no durations to take percentiles of")
    p50, p90, p99, p999 = (round(float(p), 4) for p in np.percentile(values, (50, 90, 99, 99.9)))
    far = p999 if values.size >= 1000 * TAIL_SAMPLES else None
    return Percentiles(values.size, round(float(values.mean()), 4), p50, p90, p99, round(float(values.max()), 4), far)


def jitter_ms(intervals_ms: ArrayLike) -> float | None:
    """Mean absolute difference of consecutive intervals between frames (as RFC 3550 has it, unsmoothed); None below
    two.
    """
    intervals = np.asarray(intervals_ms, np.float64)
    return round(float(np.abs(np.diff(intervals)).mean()), 4) if intervals.size > 1 else None


def thinned(values: Sequence[float], keep: int = KEPT_SAMPLES) -> list[float]:
    """At most `keep` values, evenly spaced, in order."""
    if len(values) <= keep:
        return list(values)
    return [values[i] for i in np.linspace(0, len(values) - 1, keep).round().astype(int)]


def block_bootstrap(values: NDArray[np.float64], percentile: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """RESAMPLES bootstrap replicates of a percentile of a time series.

    Whole blocks of about the cube root of n consecutive values are drawn (moving blocks: Künsch 1989, Annals of
    Statistics 17), because neighbours in time meet the same load and are not independent.
    """
    n = len(values)
    block = max(1, round(n ** (1 / 3)))
    starts = rng.integers(0, n - block + 1, (RESAMPLES, -(-n // block)))
    index = (starts[:, :, None] + np.arange(block)).reshape(RESAMPLES, -1)[:, :n]
    return np.asarray(np.percentile(values[index], percentile, axis=1), np.float64)


def ratio_interval(
    base_ms: ArrayLike, new_ms: ArrayLike, percentile: float = 50, seed: int = 0
) -> tuple[float, float, float]:
    """new / base at a percentile, with the ends of its 95 % bootstrap interval."""
    base, new = np.asarray(base_ms, np.float64), np.asarray(new_ms, np.float64)
    rng = np.random.default_rng(seed)
    replicates = block_bootstrap(new, percentile, rng) / block_bootstrap(base, percentile, rng)
    low, high = np.percentile(replicates, (2.5, 97.5))
    return float(np.percentile(new, percentile) / np.percentile(base, percentile)), float(low), float(high)
