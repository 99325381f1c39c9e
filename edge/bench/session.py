"""One measurement from start to result file: workers and monitor, the verdict, what the terminal shows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

import msgspec
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

import edge
from edge.bench.interleave import YARDSTICK, Plan, Worker, measure
from edge.bench.machine import machine_facts
from edge.bench.monitor import Monitor
from edge.bench.report import report_html
from edge.bench.result import SCHEMA, MachineFacts, Operating, Result, Run, encoded, write_result
from edge.bench.validity import notes, problems
from edge.bench.worker import Order
from edge.machine import recorded
from edge.sources.address import redacted
from edge.terminal import terminal

INVALID = 1
"""Exit code of a measurement that does not count."""
TRIALS = 6
TRIAL_S = 10.0


def add_options(p: argparse.ArgumentParser) -> None:
    """What every measuring command takes."""
    p.add_argument(
        "--seconds", type=float, default=60, help="measured time a configuration (default 60, the least that counts)"
    )
    p.add_argument("--slice", type=float, default=5, metavar="S", help="length of one turn (default 5)")
    p.add_argument("--warm", type=float, default=1, metavar="S", help="unmeasured start of each turn (default 1)")
    p.add_argument("--seed", type=int, default=0, help="of the order of the turns")
    p.add_argument("--threads", type=int, default=0, help="threads a network may use (default: all cores)")
    p.add_argument("--out", type=Path, metavar="FOLDER", help="write result.json and report.html there")
    p.add_argument(
        "--submit-file", type=Path, metavar="FILE", help="the result without paths and samples, fit to be shared"
    )
    p.add_argument("--even-if-invalid", action="store_true", help="show the figures of an invalid run, stamped as such")
    p.add_argument("--json", action="store_true", help="print the result as JSON; look at its field `valid` first")


def perform(
    builders: Sequence[Callable[[], Worker]],
    kind: str,
    args: argparse.Namespace,
    argv: Sequence[str],
    limit_ms: float = 0.0,
) -> Result:
    """Measure and judge. With `limit_ms`, also look for the first configuration's highest rate within it."""
    started = datetime.now(timezone.utc)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal(stderr=True), transient=True) as bar, ExitStack() as stack:
        task = bar.add_task("", total=1.0)
        plan = Plan(
            args.seconds,
            args.slice,
            args.warm,
            args.seed,
            lambda name, share: bar.update(task, description=name, completed=share),
        )
        machine = machine_facts()
        whole_min = len(builders) * args.seconds * (1 + args.warm / args.slice) / 60
        print(f"{len(builders)} configurations in turn, about {whole_min:.0f} min", file=sys.stderr)
        with Monitor() as monitor:
            workers = measure(builders, plan, stack, monitor)
            throughput = operating_point(workers[0], limit_ms, plan) if limit_ms else None
        runs = [worker.result() for worker in workers]
    return judged(runs, kind, machine, monitor, argv, started, throughput)


def judged(
    runs: list[Run],
    kind: str,
    machine: MachineFacts,
    monitor: Monitor,
    argv: Sequence[str],
    started: datetime,
    throughput: Operating | None,
) -> Result:
    """Runs with the conditions they were measured under and the verdict."""
    conditions, first = monitor.conditions(), runs[0]
    invalid = problems(machine, conditions, runs)
    watts = conditions.watts.value if isinstance(conditions.watts.value, float) else None
    if sum(run.name != YARDSTICK for run in runs) > 1:
        watts = None  # they are those of several configurations
    return Result(
        schema=SCHEMA,
        kind=kind,
        valid=not invalid,
        invalid_because=invalid,
        notes=notes(machine, conditions),
        fps=first.fps,
        latency_ms=first.latency_ms,
        jitter_ms=first.jitter_ms,
        frames=first.frames,
        dropped=sum(first.dropped.values()),
        first_frame_ms=first.first_frame_ms,
        peak_memory_mib=first.peak_memory_mib,
        watts=watts,
        fps_per_watt=round(first.fps / watts, 3) if watts else None,
        runs=runs,
        machine=machine,
        conditions=conditions,
        version=edge.__version__,
        command=redacted(recorded("", argv)),
        started=started.isoformat(timespec="seconds"),
        throughput=throughput,
    )


def operating_point(worker: Worker, limit_ms: float, plan: Plan) -> Operating:
    """The highest offered rate whose p99 stays within the limit with nothing dropped: by bisection, to about 3 %."""
    low, high = 0.0, 1.1 * worker.result().fps
    best, tried = None, []
    for trial in range(TRIALS):
        rate = (low + high) / 2 if trial else 0.5 * high
        plan.progress(f"{worker.name} at {rate:.0f} frames a second", trial / TRIALS)
        piece = worker.run(Order(TRIAL_S, plan.warm_s, rate))
        drawn = piece.stages_ms.get(piece.headline, [])
        dropped = sum(piece.dropped.values())
        p99 = sorted(drawn)[int(0.99 * (len(drawn) - 1))] if drawn else float("inf")
        tried.append((round(rate, 2), round(p99, 2), dropped))
        if p99 <= limit_ms and not dropped:
            low = best = rate
        else:
            high = rate
    return Operating(limit_ms, None if best is None else round(best, 2), tried)


def conclude(result: Result, args: argparse.Namespace) -> int:
    """Files, terminal, exit code."""
    if args.out:
        write_result(result, args.out / "result.json")
        (args.out / "report.html").write_text(report_html(result, args.even_if_invalid))
    if args.submit_file:
        write_result(shareable(result), args.submit_file)
    if args.json:
        sys.stdout.write(encoded(result).decode())
    else:
        show(result, args.even_if_invalid)
        for path in ([args.out / "result.json", args.out / "report.html"] if args.out else []) + (
            [args.submit_file] if args.submit_file else []
        ):
            print(path)
    return 0 if result.valid or args.even_if_invalid else INVALID


def shareable(result: Result) -> Result:
    """The result without samples, command line and folders."""
    runs = []
    for run in result.runs:
        config = {k: Path(v).name if isinstance(v, str) and "://" not in v else v for k, v in run.config.items()}
        config.pop("sinks", None)
        if "://" in str(config.get("source")):
            config["source"] = str(config["source"]).partition("://")[0]
        runs.append(msgspec.structs.replace(run, samples_ms=[], config=config))
    return msgspec.structs.replace(result, runs=runs, command="")


def headline(result: Result) -> str:
    """The one line that may be quoted."""
    text = f"{result.fps:.1f} frames a second, {result.latency_ms.p50:.2f} ms p50, {result.latency_ms.p99:.2f} ms p99"
    if result.fps_per_watt:
        text += f", {result.fps_per_watt:.2f} frames a second per watt"
    return f"{text}: {result.runs[0].name} on {result.machine.name}"


def show(result: Result, even_if_invalid: bool) -> None:
    """The verdict, and the figures where they may be shown."""
    console = terminal()
    if not result.valid:
        console.print("INVALID: these figures must not be quoted, because", style="bold red")
        for reason in result.invalid_because:
            console.print(f"  - {reason}", soft_wrap=True)
    if result.valid or even_if_invalid:
        stamp = ("", "") if result.valid else ("INVALID ", "bold red")
        if result.kind != "nets":
            console.print(Text.assemble(stamp, (headline(result), "bold")), soft_wrap=True)
        console.print(latency_table(result))
        console.print(costs_table(result))
        if result.kind != "nets":
            console.print(stages_table(result))
        if result.throughput:
            best = result.throughput.fps
            found = f"{best:.1f} frames a second" if best else "no rate tried"
            console.print(f"{found} within {result.throughput.limit_ms:g} ms p99 and nothing dropped")
    for note in result.notes:
        console.print(note, style="dim", soft_wrap=True)


def latency_table(result: Result) -> Table:
    table = Table(title=("" if result.valid else "INVALID: ") + "latency of a frame in ms, measured in turn")
    for heading in ("configuration", "fps", "p50", "p90", "p99", "p99.9", "max"):
        table.add_column(heading, justify="left" if heading == "configuration" else "right")
    for run in result.runs:
        t = run.latency_ms
        cells = (run.fps, t.p50, t.p90, t.p99, t.p99_9, t.max)
        table.add_row(run.name, *("-" if value is None else f"{value:.2f}" for value in cells))
    return table


def costs_table(result: Result) -> Table:
    yardstick = next((run.latency_ms.p50 for run in result.runs if run.name == YARDSTICK), None)
    table = Table(title=("" if result.valid else "INVALID: ") + "beside it")
    for heading in ("configuration", "jitter ms", "dropped", "first ms", "MiB", "cores", "x yardstick"):
        table.add_column(heading, justify="left" if heading == "configuration" else "right")
    for run in result.runs:
        numbers = (run.first_frame_ms, run.peak_memory_mib)
        table.add_row(
            run.name,
            "-" if run.jitter_ms is None else f"{run.jitter_ms:.2f}",
            str(sum(run.dropped.values())),
            *("-" if value is None else f"{value:.0f}" for value in numbers),
            f"{run.cpu_cores:.2f}",
            f"{run.latency_ms.p50 / yardstick:.2f}" if yardstick else "-",
        )
    return table


def stages_table(result: Result) -> Table:
    run = result.runs[0]
    table = Table(title=("" if result.valid else "INVALID: ") + f"stages of {run.name}")
    for heading in ("stage", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage, t in run.stages_ms.items():
        cells = (t.p50, t.p90, t.p99, t.p99_9, t.max)
        table.add_row(stage, *("-" if value is None else f"{value:.2f}" for value in cells))
    return table
