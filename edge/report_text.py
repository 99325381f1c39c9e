"""The report in words, for a terminal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

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
    print_heart(console, report.heart)
    if report.refined:
        print_refined(console, report.refined)
    for reason, count in report.withheld.items():
        console.print(f"volume withheld on {count} frames: {reason}", highlight=False)
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
    console.print("Research use only; not a medical device.")


FIGURES = (
    ("ef_percent", "EF, one plane", "%"),
    ("edv_ml", "EDV", "ml"),
    ("esv_ml", "ESV", "ml"),
    ("sv_ml", "stroke volume", "ml"),
    ("co_l_min", "cardiac output", "l/min"),
    ("fac_percent", "FAC", "%"),
    ("strain_percent", "contour strain", "%"),
    ("mapse_mm", "MAPSE", "mm"),
    ("lv_length_mm", "LV length at ED", "mm"),
    ("sphericity", "sphericity", ""),
    ("la_volume_ml", "LA volume", "ml"),
)
"""Key of the report's `heart`, what it is called, unit."""


def print_heart(console: Console, heart: dict[str, Any]) -> None:
    """The last beats' figures, a row each, with the beats' range and EF's interval."""
    table = Table(title="last beats")
    for heading in ("measurement", "median", "range", "beats"):
        table.add_column(heading, justify="left" if heading == "measurement" else "right")
    for key, name, unit in FIGURES:
        if key in heart:
            row = heart[key]
            digits = 0 if unit in ("%", "ml") else 1 if unit else 2
            spread = "" if row["n"] == 1 else f"{row['low']:.{digits}f} to {row['high']:.{digits}f}"
            table.add_row(name, f"{row['median']:.{digits}f} {unit}".rstrip(), spread, str(row["n"]))
    if table.row_count:
        console.print(table)
    _print_interval(console, "EF, one plane", heart)
    if "heart_rate_bpm" in heart:
        irregular = ", irregular" if heart["is_irregular"] else ""
        console.print(f"heart rate: {heart['heart_rate_bpm']:.0f} a minute{irregular}")
    both = heart.get("biplane")
    if both:
        fraction = f"EF {both['ef_percent']:.0f} %, " if "ef_percent" in both else ""
        atrium = f", LA volume {both['la_volume_ml']:.0f} ml" if "la_volume_ml" in both else ""
        console.print(f"two planes: {fraction}EDV {both['edv_ml']:.0f} ml, ESV {both['esv_ml']:.0f} ml{atrium}")
        _print_interval(console, "EF, two planes", both)
        if "warning" in both:
            console.print(both["warning"], highlight=False)
    if "body_surface_m2" in heart:
        names = (("edv_ml_m2", "EDV"), ("esv_ml_m2", "ESV"), ("la_volume_ml_m2", "LA volume"))
        each = ", ".join(f"{name} {heart[key]:.0f} ml/m2" for key, name in names if key in heart)
        console.print(f"body surface {heart['body_surface_m2']:.2f} m2: {each or 'no volume known'}")
    if "reason" in heart:
        console.print(f"not believed: {heart['reason']}", highlight=False)


def _print_interval(console: Console, name: str, found: dict[str, Any]) -> None:
    if "ef_interval90_percent" in found:
        low, high = found["ef_interval90_percent"]
        console.print(f"{name}: {low:.0f} to {high:.0f} % hold it in 90 of 100 patients")
    if "unsure" in found:
        console.print(f"{name}: {found['unsure']}", highlight=False)


def print_refined(console: Console, rows: list[dict[str, Any]]) -> None:
    """How many key frames were refined, and the newest EF with its interval."""
    console.print(f"refined: {', '.join(f'{n} {kind}' for kind, n in Counter(r['kind'] for r in rows).items())}")
    with_ef = [row for row in rows if row["ejection_fraction_percent"]]
    if with_ef:
        newest, ef = with_ef[-1], with_ef[-1]["ejection_fraction_percent"]
        console.print(
            f"ejection fraction (refined, {newest['kind']} at frame {newest['frame']}): {ef['median']:.0f} % "
            f"({ef['low']:.0f}-{ef['high']:.0f}: the samples' spread, narrower than the error)"
        )


def _ef(beat: dict[str, Any]) -> str:
    percent = beat["ejection_fraction_percent"]
    return "" if percent is None else f", ejection fraction {percent:.0f} %"
