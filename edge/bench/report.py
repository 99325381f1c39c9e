"""A result as one HTML page with plots that opens without a network."""

from __future__ import annotations

from html import escape

import numpy as np

from edge.bench.interleave import YARDSTICK
from edge.bench.result import Reading, Result, Run
from edge.bench.stats import Percentiles
from edge.bench.trace import DRAWN
from edge.picture import svg

PERCENTILES = ("p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms")
SPANS = (DRAWN, "scanner to capture")
"""Rows that span several stages."""


def report_html(result: Result, even_if_invalid: bool = False) -> str:
    """Verdict, tables and plots. An invalid result shows figures only where they are asked for, and is stamped."""
    parts = [_verdict(result)]
    if result.valid or even_if_invalid:
        parts.append(_figures(result))
    parts.append("<h2>Machine</h2>" + svg.table(("fact", "value"), _machine_rows(result)))
    parts.append("<h2>Meanwhile</h2>" + svg.table(("what", "value"), _condition_rows(result)))
    parts.append(
        f"<p>Command: <code>{escape(result.command)}</code>, {escape(result.started)}, EchoEdge {result.version}</p>"
    )
    return svg.page("EchoEdge bench" + ("" if result.valid else " — INVALID"), "".join(parts))


def _verdict(result: Result) -> str:
    if result.valid:
        return '<p class="good">Valid: the machine was left alone and measured for long enough.</p>'
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in result.invalid_because)
    return f'<p class="bad">Invalid. These figures must not be quoted, because</p><ul class="bad">{reasons}</ul>'


def _figures(result: Result) -> str:
    runs = [run for run in result.runs if run.name != YARDSTICK]
    rows = [(run.name, _two(run.fps), *_row(run.latency_ms)) for run in result.runs]
    costs = [
        (
            run.name,
            _two(run.jitter_ms),
            sum(run.dropped.values()),
            _two(run.load_ms),
            _two(run.first_frame_ms),
            _two(run.peak_memory_mib),
            _two(run.cpu_cores),
        )
        for run in result.runs
    ]
    beside = ("configuration", "jitter ms", "dropped", "loading ms", "first frame ms", "peak MiB", "cores")
    parts = [
        "<h2>Latency of a frame</h2>",
        svg.table(("configuration", "fps", *PERCENTILES), rows),
        "<h2>Beside it</h2>",
    ]
    parts.append(svg.table(beside, costs))
    if len(runs) > 1:
        parts.append("<h2>Medians, ms</h2>")
        parts.append(svg.bars([run.name for run in runs], [run.latency_ms.p50 for run in runs], "{:.2f}", 260))
    for run in runs[:8]:
        parts.append(_run_section(run))
    if result.throughput is not None:
        parts.append(f"<h2>Rate within {result.throughput.limit_ms:g} ms p99</h2>")
        parts.append(svg.table(("offered frames a second", "p99 ms", "dropped"), result.throughput.tried))
    return "".join(parts)


def _run_section(run: Run) -> str:
    parts = [f"<h2>{escape(run.name)}</h2>"]
    if run.kind in ("pipeline", "glass"):
        stages = waterfall(run)
        parts.append("<h3>Where a frame's time goes (medians)</h3>")
        parts.append(svg.waterfall([name for name, _ in stages], [ms for _, ms in stages], "{:.2f} ms"))
    parts.append(svg.table(("stage", *PERCENTILES), [(stage, *_row(t)) for stage, t in run.stages_ms.items()]))
    if len(run.samples_ms) > 1:
        samples = np.array(run.samples_ms)
        high = max(float(np.percentile(samples, 99.5)), float(samples.min()) + 1e-3)
        counts, _ = np.histogram(samples, 60, (samples.min(), high))
        marks = [("p50", run.latency_ms.p50), ("p90", run.latency_ms.p90), ("p99", run.latency_ms.p99)]
        marks = [(name, value) for name, value in marks if value <= high]
        parts.append("<h3>Distribution, ms</h3>" + svg.histogram(counts.tolist(), float(samples.min()), high, marks))
        parts.append("<h3>In order of time, ms</h3>" + svg.series(run.samples_ms))
    return "".join(parts)


def waterfall(run: Run) -> list[tuple[str, float]]:
    """(stage, median ms) in the order a frame meets them, with what is left of its way as "waiting and hand-over".

    In a pipeline run, decoding and writing happen beside the way from capture to drawing.
    """
    beside = (
        {name for name in run.stages_ms if name == "decode" or name.startswith("write ")}
        if run.kind == "pipeline"
        else set()
    )
    stages = [(name, t.p50) for name, t in run.stages_ms.items() if name not in SPANS and name not in beside]
    rest = run.latency_ms.p50 - sum(ms for _, ms in stages)
    return [*stages, ("waiting and hand-over", max(0.0, round(rest, 4)))]


def _row(t: Percentiles) -> tuple[float | str, ...]:
    return tuple(_two(value) for value in (t.p50, t.p90, t.p99, t.p99_9, t.max))


def _two(value: float | None) -> float | str:
    return "-" if value is None else round(value, 2)


def _shown(reading: Reading) -> str:
    return f"{reading.value} ({reading.source})" if reading.value is not None else f"not readable: {reading.why_not}"


def _machine_rows(result: Result) -> list[tuple[str, str]]:
    m = result.machine
    return [
        ("machine", m.name),
        ("memory", f"{m.memory_gib} GiB"),
        ("system", m.system),
        ("Python", m.python),
        ("packages", ", ".join(f"{name} {version}" for name, version in m.packages.items())),
        ("Jetson Linux", m.jetson_linux or "-"),
        ("power mode", _shown(m.power_mode)),
        ("governor", _shown(m.governor)),
        ("highest clock, MHz", _shown(m.max_clock_mhz)),
        ("on battery", _shown(m.on_battery)),
        ("GPU", _shown(m.gpu)),
    ]


def _condition_rows(result: Result) -> list[tuple[str, str]]:
    c = result.conditions
    heat = ", ".join(f"{zone} {low:g}-{high:g} °C" for zone, (low, high) in c.temperature_c.items())
    return [
        ("measured", f"{c.seconds:g} s"),
        ("own load", f"{c.own_load_cores:.2f} cores"),
        ("load of others", f"{c.other_load_cores:.2f} cores, at most {c.other_load_peak_cores:.2f}"),
        ("taken by the hypervisor", f"{c.steal_percent:g} %"),
        ("pages swapped", str(c.swapped_pages)),
        ("clocks", f"{c.clock_mhz[0]:.0f}-{c.clock_mhz[1]:.0f} MHz" if c.clock_mhz else "not readable"),
        ("temperature", heat or "not readable: the system lists no thermal zones"),
        ("throttled", _shown(c.throttled)),
        ("power, W", _shown(c.watts)),
        ("GPU load, %", _shown(c.gpu_load_percent)),
    ]
