"""The report in words, for a terminal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from edge.report import SOURCE_OVER, Report
from edge.terminal import terminal


def print_report(report: Report, source: str) -> None:
    """The summary table on the terminal."""
    console = terminal()
    table = Table(title=f"{Path(source).name}: {report.fps:.1f} frames a second, {report.backend} {report.precision}")
    for heading in ("stage", "p50 ms", "p90 ms", "p99 ms", "max ms"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage, row in report.latency_ms.items():
        table.add_row(stage, *(f"{row[key]:.2f}" for key in ("p50", "p90", "p99", "max")))
    console.print(table)
    console.print(
        f"frames: {report.frames_in} in, {report.frames_processed} processed, {report.frames_dropped} dropped"
    )
    if report.frames_damaged:
        declared = f" of {report.frames_declared} declared" if report.frames_declared else ""
        console.print(f"damaged or missing: {report.frames_damaged} frames{declared}")
    for kind, counts in (("dropped", report.dropped), ("safe states", report.safe_states)):
        if counts:
            console.print(f"{kind}: {', '.join(f'{name} {count}' for name, count in counts.items())}")
    if report.sector.get("mm_per_px_refused"):
        console.print(f"scale refused: {report.sector['mm_per_px_refused']}", highlight=False)
    marks = ", ".join(f"{e['kind']} at frame {e['frame']}" for e in report.events)
    console.print(f"beats: {marks or 'no ED or ES found'}")
    fractions = report.ejection_fraction_percent
    if fractions:
        console.print(
            f"ejection fraction (single plane): median {np.median(fractions):.0f} % of {len(fractions)} ED-ES pairs"
        )
    if report.refined:
        print_refined(console, report.refined)
    for reason, count in report.withheld.items():
        console.print(f"volume and ejection fraction withheld on {count} frames: {reason}", highlight=False)
    for kind, row in report.best.items():
        if kind == "beat":
            console.print(f"best beat: ED {row['ED']}, ES {row['ES']}, quality {row['quality']:.1f}{_ef(row)}")
        else:
            means = f"quality mean {row['quality_mean']:.1f}, lowest {row['quality_lowest']:.1f}"
            console.print(f"best {kind}: frame {row['frame']}, {means}")
    if report.ended != SOURCE_OVER:
        console.print(f"ended: {report.ended}")
    if report.view:
        console.print(f"view: {report.view}")
    if report.biplane:
        volumes = report.biplane
        console.print(
            f"ejection fraction (two planes): {volumes['ef_percent']:.0f} %, EDV {volumes['edv_ml']:.0f} ml, "
            f"ESV {volumes['esv_ml']:.0f} ml"
        )
    console.print("Research use only; not a medical device.")


def print_refined(console: Console, rows: list[dict[str, Any]]) -> None:
    """How many key frames were refined, and the newest EF with its interval."""
    console.print(f"refined: {', '.join(f'{n} {kind}' for kind, n in Counter(r['kind'] for r in rows).items())}")
    with_ef = [row for row in rows if row["ejection_fraction_percent"]]
    if with_ef:
        newest, ef = with_ef[-1], with_ef[-1]["ejection_fraction_percent"]
        console.print(
            f"ejection fraction (refined, {newest['kind']} at frame {newest['frame']}): {ef['median']:.0f} % "
            f"({ef['low']:.0f}-{ef['high']:.0f}, 5 to 95 % of the samples)"
        )


def _ef(beat: dict[str, Any]) -> str:
    percent = beat["ejection_fraction_percent"]
    return "" if percent is None else f", ejection fraction {percent:.0f} %"
