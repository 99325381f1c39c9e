"""What a run did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SOURCE_OVER, CLOSED, FAILED = "source over", "window closed", "failed"
"""Ways in which a run ends, beside the names of signals."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run did: counts, rates, percentiles in ms a stage, measurements, safe states, steps of service, drift.

    `frames_declared` is how many the source says that it holds (None: it does not say), `frames_damaged` how many of
    them did not come out whole or are missing; `frames_in` were decoded. `dropped` counts frames by reason. Of a live
    source "capture", "service cut" and "not analysed" (a banner was shown) add up to `frames_dropped`, those that came
    in and were not processed; the others were processed and lost afterwards. `withheld`: frames a reason for which the
    volume was not shown. `best`: the best ED and ES frame and the best beat. `heart`: the last beats' figures, those
    that are known (`edge.heart.record.Heart`); `ejection_fraction_percent`: of each of these beats, oldest first, also
    where `heart` gives none because it is not sure. `refined`: the newest refined key frames, with percentiles over
    their samples.

    `ended` is "source over", "window closed", "failed" or the name of a signal; `failure` is the reason of "failed".
    `not_analysed`: frames by the banner that was shown instead; `failed`: those of them that a network failed on, by
    reason. `stopped`: what ended before the run did, such as an output whose disk is full, and why.
    """

    frames_declared: int | None
    frames_damaged: int
    frames_in: int
    frames_processed: int
    frames_dropped: int
    dropped: dict[str, int]
    fps: float
    seconds: float
    backend: str
    precision: str
    latency_ms: dict[str, dict[str, float]]
    events: list[dict[str, Any]]
    sector: dict[str, Any]
    safe_states: dict[str, int]
    service: list[dict[str, Any]]
    drift: list[dict[str, Any]]
    reconnects: int
    withheld: dict[str, int]
    best: dict[str, Any]
    view: str = ""
    ejection_fraction_percent: list[float] = field(default_factory=list)
    heart: dict[str, Any] = field(default_factory=dict)
    refined: list[dict[str, Any]] = field(default_factory=list)
    ended: str = "source over"
    failure: str = ""
    not_analysed: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)


def problems_of(report: Report) -> list[str]:
    """What went wrong, a line each; nothing for a run that ended as it should."""
    problems = [f"{name} stopped: {reason}" for name, reason in report.stopped.items()]
    problems += [f"a network failed on {count} frames: {reason}" for reason, count in report.failed.items()]
    if report.failure:
        problems.append(f"the run failed after {report.frames_processed} frames: {report.failure}")
    if not report.frames_processed and report.ended == SOURCE_OVER:
        reasons = sorted(report.not_analysed, key=lambda reason: -report.not_analysed[reason])
        problems.append(f"none of {report.frames_in} frames was analysed: {'; '.join(reasons[:3]) or 'no frame came'}")
    return problems
