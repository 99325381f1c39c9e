"""What a run did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a run did: counts, rates, percentiles in ms a stage, measurements, safe states, steps of service, drift.

    `frames_declared` is how many the source says that it holds (None: it does not say), `frames_damaged` how many of
    them did not come out whole or are missing; `frames_in` were decoded. `dropped` counts frames by reason. Of a live
    source "capture", "service cut" and "not analysed" (a banner was shown)
    add up to `frames_dropped`, those that came in and were not processed; the others were processed and lost
    afterwards. `withheld`: frames a reason for which the volume was not shown. `best`: the best ED and ES frame and the
    best beat. `refined`: the newest refined key frames, with percentiles over their samples.
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
    ejection_fraction_percent: list[float]
    sector: dict[str, Any]
    safe_states: dict[str, int]
    service: list[dict[str, Any]]
    drift: list[dict[str, Any]]
    reconnects: int
    withheld: dict[str, int]
    best: dict[str, Any]
    view: str = ""
    biplane: dict[str, float] | None = None
    refined: list[dict[str, Any]] = field(default_factory=list)
