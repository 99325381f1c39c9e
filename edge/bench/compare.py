"""Two results side by side, with 95 % intervals, and the rule by which CI calls something slower."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.bench.interleave import YARDSTICK
from edge.bench.result import Result, Run
from edge.bench.stats import ratio_interval
from edge.errors import EchoEdgeError

COMPARED = (50.0, 90.0, 99.0)
MIN_SAMPLES = {50.0: 20, 90.0: 100, 99.0: 500}
"""Fewer samples than this on either side, and the percentile is not compared."""


@dataclass(frozen=True)
class Comparison:
    """new / base of one percentile of one configuration: above 1 is slower. `low` and `high` end the 95 % interval.

    `relative` divides both sides by their yardstick, so that a slower machine alone changes nothing.
    """

    name: str
    percentile: float
    base_ms: float
    new_ms: float
    ratio: float
    low: float
    high: float
    relative: bool

    @property
    def verdict(self) -> str:
        if self.low > 1:
            return "slower"
        return "faster" if self.high < 1 else "no difference shown"

    def regressed(self, tolerance: float) -> bool:
        """Whether the whole interval lies beyond the tolerated ratio."""
        return self.low > 1 + tolerance


def compare(base: Result, new: Result, relative: bool = False) -> list[Comparison]:
    """Every configuration that both results hold. Raises EchoEdgeError where there is none.

    With `relative` each side is divided by its yardstick, measured in turn with it: machines of different speed or load
    can be compared, absolute times cannot.
    """
    theirs = {run.name: run for run in base.runs}
    shared = [(theirs[run.name], run) for run in new.runs if run.name in theirs and run.name != YARDSTICK]
    if not shared:
        raise EchoEdgeError(
            f"the results share no configuration: {', '.join(theirs)} against {', '.join(run.name for run in new.runs)}"
        )
    scale, error = _yardstick(base, new) if relative else (1.0, 0.0)
    rows = []
    for old, fresh in shared:
        for percentile in COMPARED:
            if min(len(old.samples_ms), len(fresh.samples_ms)) < MIN_SAMPLES[percentile]:
                continue
            ratio, low, high = ratio_interval(old.samples_ms, fresh.samples_ms, percentile)
            # The yardstick is uncertain as well: relative errors of a quotient add in squares.
            below, above = math.hypot(1 - low / ratio, error), math.hypot(high / ratio - 1, error)
            ratio *= scale
            rows.append(
                Comparison(
                    fresh.name,
                    percentile,
                    _at(old, percentile),
                    _at(fresh, percentile),
                    ratio,
                    ratio * (1 - below),
                    ratio * (1 + above),
                    relative,
                )
            )
    if not rows:
        raise EchoEdgeError(f"fewer than {MIN_SAMPLES[50.0]} samples per configuration: measure longer")
    return rows


def _at(run: Run, percentile: float) -> float:
    return float({50.0: run.latency_ms.p50, 90.0: run.latency_ms.p90, 99.0: run.latency_ms.p99}[percentile])


def _yardstick(base: Result, new: Result) -> tuple[float, float]:
    """(base / new of the yardstick's median, half the relative width of its interval)."""
    pair = [next((run for run in result.runs if run.name == YARDSTICK), None) for result in (base, new)]
    if pair[0] is None or pair[1] is None:
        raise EchoEdgeError("a result without a yardstick cannot be compared by ratios; measure with `echoedge bench`")
    ratio, low, high = ratio_interval(pair[0].samples_ms, pair[1].samples_ms)
    return 1 / ratio, (high - low) / 2 / ratio
