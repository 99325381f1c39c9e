"""How long each stage takes: nanoseconds in, percentiles out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

CAPACITY = 36_000
"""Samples kept a stage: ten minutes at 60 fps; the oldest give way."""


class StageClock:
    """Durations per named stage in preallocated rings. One writer a stage; reading while writing is harmless."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._rings: dict[str, np.ndarray] = {}
        self._counts: dict[str, int] = {}

    def add(self, stage: str, duration_ns: int) -> None:
        """Record one duration."""
        if stage not in self._rings:
            self._rings[stage] = np.zeros(self._capacity, np.int64)
            self._counts[stage] = 0
        self._rings[stage][self._counts[stage] % self._capacity] = duration_ns
        self._counts[stage] += 1

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Record how long a block takes."""
        started = time.perf_counter_ns()
        yield
        self.add(stage, time.perf_counter_ns() - started)

    def count(self, stage: str) -> int:
        """How many durations were recorded, those that gave way included."""
        return self._counts.get(stage, 0)

    def percentiles_ms(self) -> dict[str, dict[str, float]]:
        """p50, p90, p99 and max in ms of each stage, in the order of first use."""
        table = {}
        for stage, ring in self._rings.items():
            kept = ring[: min(self._counts[stage], self._capacity)] / 1e6
            p50, p90, p99 = np.percentile(kept, (50, 90, 99))
            table[stage] = {
                "p50": float(p50),
                "p90": float(p90),
                "p99": float(p99),
                "max": float(kept.max()),
            }
        return table
