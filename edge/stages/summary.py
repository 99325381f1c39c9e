"""After the last stage: what a run came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.heart.best import Best
from edge.heart.record import known
from edge.nets.model import Segmenter
from edge.report import FAILED, SOURCE_OVER, Report
from edge.stages.capture import Capture
from edge.stages.drawing import Drawing
from edge.stages.inference import Inference
from edge.stages.output import Output
from edge.stages.shared import Shared


@dataclass(frozen=True, kw_only=True)
class Stages:
    """The stages of one run."""

    shared: Shared
    engine: Segmenter
    capture: Capture
    inference: Inference
    drawing: Drawing
    outputs: Sequence[Output]


def report_of(stages: Stages, seconds: float, failure: str = "") -> Report:
    """Sum up a run that has ended and took `seconds`; `failure` is what ended it, "" for nothing."""
    inference, capture, clock = stages.inference, stages.capture, stages.shared.clock
    record, analysed = inference.record, clock.count("segment")
    view = record.heart.view or (inference.analyser.view if inference.analyser else "")
    return Report(
        frames_declared=stages.shared.source.frames,
        frames_damaged=stages.shared.source.damaged,
        frames_in=capture.frames,
        frames_processed=analysed,
        frames_dropped=capture.frames - analysed,
        dropped=_dropped(stages),
        fps=analysed / max(seconds, 1e-9),
        seconds=seconds,
        backend=stages.engine.backend.name,
        precision=stages.engine.manifest.precision,
        latency_ms=clock.percentiles_ms(),
        events=[{"kind": e.kind, "frame": e.frame, "volume_ml": e.volume_ml} for e in record.marks],
        heart=known(record.heart),
        ejection_fraction_percent=[round(ef, 2) for ef in record.ejection_fractions],
        sector=_sector(inference),
        safe_states=dict(stages.shared.guard.trips),
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
        view=view,
        refined=list(inference.refining.frames.rows) if inference.refining else [],
        ended=FAILED if failure else stages.shared.ending.how or SOURCE_OVER,
        failure=failure,
        not_analysed=dict(inference.not_analysed),
        failed=dict(inference.failures),
        stopped=dict(stages.shared.stopped),
    )


def _dropped(stages: Stages) -> dict[str, int]:
    """Frames lost, by where."""
    inference = stages.inference
    dropped = {"capture": stages.capture.mailbox.dropped, "service cut": inference.skipped}
    if stages.shared.live:
        dropped["not analysed"] = inference.processed - inference.skipped - stages.shared.clock.count("segment")
    dropped["drawing"] = stages.drawing.mailbox.dropped
    dropped["recording"] = inference.recording.mailbox.dropped if inference.recording else 0
    dropped["key frames"] = inference.refining.mailbox.dropped if inference.refining else 0
    dropped |= {f"output {output.name}": output.dropped for output in stages.outputs}
    return {name: count for name, count in dropped.items() if count}


def _sector(inference: Inference) -> dict[str, Any]:
    sector, calibration = inference.screening.sector, inference.screening.calibration
    if sector is None:
        return {}
    return {
        "x": sector.box.x,
        "y": sector.box.y,
        "side": sector.box.side,
        "is_fan": sector.fan is not None,
        "mm_per_px": calibration.spacing_mm,
        "mm_per_px_from": calibration.origin,
        "mm_per_px_refused": calibration.reason,
    }


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
