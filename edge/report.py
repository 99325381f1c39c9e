"""What a run did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from edge.heart.best import Best
from edge.nets.model import Segmenter
from edge.sinks.worker import SinkWorker
from edge.sources import Source
from edge.stages.capture import Capture
from edge.stages.drawing import Drawing
from edge.stages.inference import Inference
from edge.stages.safety import Guard
from edge.threads.clock import StageClock


@dataclass(frozen=True)
class Report:
    """What a run did: counts, rates, percentiles in ms a stage, measurements, safe states, steps of service, drift.

    `dropped` counts frames by reason. Of a live source "capture", "service cut" and "not analysed" (a banner was shown)
    add up to `frames_dropped`, those that came in and were not processed; the others were processed and lost
    afterwards. `withheld`: frames a reason for which the volume was not shown. `best`: the best ED and ES frame and the
    best beat. `refined`: the newest refined key frames, with percentiles over their samples.
    """

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


def report_of(
    source: Source,
    engine: Segmenter,
    clock: StageClock,
    guard: Guard,
    capture: Capture,
    drawing: Drawing,
    inference: Inference,
    workers: Sequence[SinkWorker],
    seconds: float,
) -> Report:
    """Sum up a run that has ended."""
    stages = clock.percentiles_ms()
    analyser = inference.analyser
    sector = inference.tracker.sector
    analysed = clock.count("segment")
    dropped = {"capture": capture.mailbox.dropped, "service cut": inference.skipped}
    if guard.live:
        dropped |= {"not analysed": inference.processed - inference.skipped - analysed}
    dropped |= {"drawing": drawing.mailbox.dropped}
    lost = inference.recorder.mailbox.dropped if inference.recorder else 0
    dropped |= {"recording": lost, "key frames": inference.refining.mailbox.dropped if inference.refining else 0}
    dropped |= {f"output {worker.name}": worker.dropped for worker in workers if worker.dropped}
    return Report(
        frames_in=capture.frames,
        frames_processed=analysed,
        frames_dropped=capture.frames - analysed,
        dropped={name: count for name, count in dropped.items() if count},
        fps=analysed / max(seconds, 1e-9),
        seconds=seconds,
        backend=engine.backend.name,
        precision=engine.manifest.precision,
        latency_ms=stages,
        events=[
            {"kind": e.kind, "frame": e.frame, "volume_ml": e.volume_ml}
            for e in (analyser.beats.events if analyser else ())
        ],
        ejection_fraction_percent=list(analyser.ejection_fractions) if analyser else [],
        sector={}
        if sector is None
        else {
            "x": sector.box.x,
            "y": sector.box.y,
            "side": sector.box.side,
            "is_fan": sector.fan is not None,
            "mm_per_px": inference.calibration.spacing_mm,
            "mm_per_px_from": inference.calibration.origin,
        },
        safe_states=dict(guard.trips),
        service=[
            {"frame": s.frame, "down": s.down, "to": s.rung.name, "cost_ms": s.cost_ms} for s in inference.ladder.steps
        ],
        drift=[
            {"frame": n, "unlike": d.has_drifted, "distance": round(d.distance, 2), "threshold": d.threshold}
            for n, d in inference.drifts
        ],
        reconnects=capture.reconnects,
        withheld={reason: count for reason, count in inference.withheld.items() if reason},
        best=_best(inference.best.best),
        view=analyser.view if analyser else "",
        biplane=asdict(analyser.biplane.value) if analyser and analyser.biplane.value else None,
        refined=list(inference.refining.frames.rows) if inference.refining else [],
    )


def _best(best: Best) -> dict[str, Any]:
    frames = {rated.kind: rated for rated in (best.ed, best.es) if rated}
    rows: dict[str, Any] = {
        kind: {
            "frame": rated.analysis.frame.number,
            "time_s": rated.analysis.frame.time_s,
            "quality_mean": rated.mean,
            "quality_lowest": rated.lowest,
        }
        for kind, rated in frames.items()
    }
    if best.beat is not None:
        ed, es = (rated.analysis.frame.number for rated in best.beat)
        rows["beat"] = {
            "ED": ed,
            "ES": es,
            "quality": min(rated.rating for rated in best.beat),
            "ejection_fraction_percent": best.ejection_fraction_percent,
        }
    return rows
