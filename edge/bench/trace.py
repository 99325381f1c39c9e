"""A stage clock that also keeps when each stage ended, so that warm-up can be cut off and intervals be measured."""

from __future__ import annotations

import time
from collections import defaultdict

from edge.threads.clock import StageClock

DRAWN = "capture to drawn"
"""The loop's name for the span from a frame's capture to its finished picture."""


class Trace(StageClock):
    """Every duration with its end (monotonic ns). Grows with the run, so it is for measurements of minutes."""

    def __init__(self) -> None:
        super().__init__(capacity=1)
        self._spans: dict[str, list[tuple[int, int]]] = defaultdict(list)

    def add(self, stage: str, duration_ns: int) -> None:
        """Record one duration that ends now."""
        super().add(stage, duration_ns)
        self._spans[stage].append((time.monotonic_ns(), duration_ns))

    def first_ns(self, stage: str) -> int | None:
        """When a stage ended for the first time."""
        spans = self._spans.get(stage)
        return spans[0][0] if spans else None

    def ends_ns(self, stage: str, since_ns: int) -> list[int]:
        """When a stage ended, from a moment on."""
        return [end for end, _ in self._spans[stage] if end >= since_ns]

    def durations_ms(self, since_ns: int) -> dict[str, list[float]]:
        """Durations of every stage, of those that ended from a moment on, to 0.1 µs."""
        return {
            stage: [round(duration / 1e6, 4) for end, duration in spans if end >= since_ns]
            for stage, spans in self._spans.items()
        }
