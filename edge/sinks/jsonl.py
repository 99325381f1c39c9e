"""One JSON object a frame, a line each."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.heart.record import known
from edge.heart.regions import region_names
from edge.picture.palette import NOTICE
from edge.refine.keyframe import Held, held_record
from edge.sinks.base import FileSink, Shown
from edge.sinks.files import GrowingFile


class JsonLinesSink(FileSink):
    """Lengths in mm, areas in cm2, volumes in ml, scores 1-5. What is not measured or not shown is null, and why."""

    name = "json lines"

    def __init__(self, path: Path, view: str = "") -> None:
        super().__init__(GrowingFile(path))
        self._names = region_names(view)
        self._stream = self._file.part.open("wb", buffering=0)  # a line is on its way once it is written

    def write(self, shown: Shown) -> None:
        if shown.frame is None:  # a banner between frames: it is in the log and in the metrics
            return
        record = shown_record(shown, self._names)
        line = msgspec.json.encode(record) + b"\n"
        start = self._stream.tell()
        if self._stream.write(line) != len(line):  # the disk is full: no half line stays
            self._stream.truncate(start)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._written += 1

    def _finish(self) -> None:
        self._stream.close()


def shown_record(shown: Shown, names: tuple[str, ...]) -> dict[str, Any]:
    """The record of a finished frame; one without analysis has only its number, its time and the reason."""
    if shown.analysis is not None:
        return record_of(shown.analysis, shown.head.age_ms, names, shown.best, shown.refined)
    assert shown.frame is not None
    return {
        "frame": shown.frame.number,
        "time_s": round(shown.frame.time_s, 6),
        "withheld": shown.withheld,
        **({"refined": held_record(shown.refined, shown.withheld)} if shown.refined else {}),
        "notice": NOTICE,
    }


def record_of(
    analysis: Analysis, age_ms: float, names: tuple[str, ...], best: Best | None = None, refined: Held | None = None
) -> dict[str, Any]:
    """What one line holds. `event` names an ED or ES that this frame confirmed and the earlier frame it happened at,
    `withheld_measurements` the reasons, `heart` the last beats' figures (`edge.heart.record.Heart`), `best` the frame
    numbers of the best ED and ES so far, `refined` the key frame whose still is shown, with its 5th, 50th and 95th
    percentiles over the samples."""
    ventricle, regions, withheld = analysis.ventricle, analysis.regions, analysis.withheld
    names = region_names(analysis.view) if analysis.view else names
    included = regions.included if regions is not None else [False] * len(names)
    return {
        "frame": analysis.frame.number,
        "time_s": round(analysis.frame.time_s, 6),
        "age_ms": round(age_ms, 3),
        "lv_area_px": round(ventricle.area_px, 1),
        "lv_area_cm2": _rounded(ventricle.area_cm2),
        "lv_length_mm": _rounded(ventricle.length_mm),
        "lv_volume_ml": _rounded(ventricle.volume_ml),
        "withheld_measurements": {
            name: reason for name, reason in (("area", withheld.area), ("volume", withheld.volume)) if reason
        }
        or None,
        "mm_per_px": analysis.calibration.spacing_mm,
        "mm_per_px_from": analysis.calibration.origin,
        "quality": {
            name: round(float(score), 2) if inside and np.isfinite(score) else None
            for name, score, inside in zip(names, analysis.scores, included)
        },
        "not_measurable": analysis.reason or None,
        "hint": str(analysis.hint) if analysis.hint else None,
        "best": {frame.kind: frame.analysis.frame.number for frame in (best.ed, best.es) if frame} if best else None,
        "view": analysis.view or None,
        "view_probability": _rounded(analysis.view_probability),
        "orientation": str(analysis.turn) or None,
        "heart": known(analysis.heart) or None,
        "refined": held_record(refined, withheld.volume) if refined else None,
        "event": {"kind": analysis.event.kind, "frame": analysis.event.frame} if analysis.event else None,
        "notice": NOTICE,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
