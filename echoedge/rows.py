"""A line of a .jsonl as one flat row of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.heart.regions import REGIONS
from edge.sinks.files import PartFile

SAME = (
    "frame",
    "time_s",
    "view",
    "view_probability",
    "orientation",
    "lv_area_px",
    "lv_area_cm2",
    "lv_length_mm",
    "lv_volume_ml",
)
"""Columns that are called as in the line."""
SCORES = tuple(f"quality_{name.replace(' ', '_')}" for name in REGIONS)
"""By the side of the picture, since the walls' names depend on the view."""
FIGURES = ("ef_percent", "heart_rate_bpm")
"""Of `heart`: the median of the last beats."""
COLUMNS = (
    *SAME,
    *FIGURES,
    *SCORES,
    "mm_per_px_down",
    "mm_per_px_across",
    "mm_per_px_from",
    "event",
    "event_frame",
    "not_measurable",
    "withheld",
    "withheld_area",
    "withheld_volume",
)


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    """A line as a dict of COLUMNS: numbers, words, or None for what was not measured or not shown."""
    down, across = record.get("mm_per_px") or (None, None)
    event, why = record.get("event") or {}, record.get("withheld_measurements") or {}
    scores = list((record.get("quality") or dict.fromkeys(REGIONS)).values())
    return {
        **{name: record.get(name) for name in SAME},
        **{name: median_of(record.get("heart") or {}, name) for name in FIGURES},
        **dict(zip(SCORES, scores, strict=True)),
        "mm_per_px_down": down,
        "mm_per_px_across": across,
        "mm_per_px_from": record.get("mm_per_px_from"),
        "event": event.get("kind"),
        "event_frame": event.get("frame"),
        "not_measurable": record.get("not_measurable"),
        "withheld": record.get("withheld"),
        "withheld_area": why.get("area"),
        "withheld_volume": why.get("volume"),
    }


def median_of(heart: dict[str, Any], name: str) -> float | None:
    """A figure of a line's or a report's `heart`, None where it is not known."""
    found = heart.get(name)
    return found["median"] if isinstance(found, dict) else found


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """A table with a head line; empty where nothing is known. EchoEdgeError for a folder without permission."""
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, table.getvalue().encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, then rename. EchoEdgeError for a folder without permission."""
    file = PartFile(path)
    file.part.write_bytes(content)
    file.settle(written=True)
