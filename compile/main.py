"""`echoedge compile`: from the FP32 files of a model folder to what a target runs, with the evidence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from calib.choose import CalibrationSet, check_disjoint, read_set, write_set
from compile.calibration import choose_from, feeds_of, inputs_of
from compile.engine.build import build_engine, device_command
from compile.engine.builder import EngineSettings
from compile.engine.targets import DEFAULT_RTX
from compile.gates import TOLERANCES
from compile.graphs import Graphs, is_refiner, references_of
from compile.outcome import Outcome, winner
from compile.pipeline import run_plan
from compile.plan import Plan, judging_backend
from compile.quantize.model import ModelQuantizer
from compile.quantize.ranges import METHODS
from compile.report import write_report
from compile.score import Scores, open_trial
from edge.errors import ModelError
from edge.jetson.board import detect
from edge.machine import compute_capability, machine_name, recorded
from edge.nets.artefacts import choose
from edge.nets.backends.trt import open_library
from edge.nets.manifest import Manifest, find_manifests
from edge.options import add_backend, add_data, add_patients, add_precision, add_seed, add_threads
from edge.terminal import terminal
from train.data.camus import read_split

TARGETS = {"cpu": ("int8",), "orin": ("fp16", "int8"), "rtx": ("fp16", "int8")}
"""Target -> the precisions that `auto` makes beside FP32."""
ALL = ("cpu", "orin")
"""Targets that together have every file: both kinds of NVIDIA target read the same."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge compile",
        description="Make, judge and choose the artefacts of a target: FP16, INT8 with Q/DQ, engines. The two graphs "
        "of a refining model are judged together, for the CPU. Exit code 1 where an engine failed on a file, "
        "0 where all were judged, whatever the gates say.",
        epilog="example: echoedge compile models/pspnet-mk --data camus:/data/camus --held-out split_valid.txt",
    )
    p.add_argument("model", type=Path, help="model folder that `echoedge export` made")
    p.add_argument("--target", choices=("auto", "all", *TARGETS), default="auto", help="auto: what this machine is")
    add_precision(p)
    add_data(p)
    add_patients(p, "--held-out", "that accuracy is judged on")
    p.add_argument("--calibration", type=Path, help="list file of `echoedge calib choose` (default: choose one)")
    p.add_argument("--count", type=int, default=128, help="calibration frames to choose (default 128)")
    add_seed(p)
    p.add_argument("--method", choices=("auto", *METHODS), default="auto", help="auto: closest to FP32 on the set")
    add_backend(p)
    add_threads(p)
    p.add_argument("--runs", type=int, default=100, help="rounds of the race (default 100)")
    p.add_argument(
        "--tolerance",
        action="append",
        default=[],
        type=_tolerance,
        metavar="METRIC=VALUE",
        help=f"largest loss in any view (default: {', '.join(f'{k}={v:g}' for k, v in TOLERANCES.items())})",
    )
    p.add_argument("--report", type=Path, help="HTML file: layers, histograms, differences of masks")
    return p


def _tolerance(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in TOLERANCES:
        raise argparse.ArgumentTypeError(f"'{name}' is not a metric; choose {', '.join(TOLERANCES)}")
    return name, float(value)


def local_target() -> str:
    """orin on a Jetson, rtx with another NVIDIA GPU, cpu elsewhere."""
    if detect().jetson_linux:
        return "orin"
    return "rtx" if compute_capability() else "cpu"


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    references = references_of(args.model)
    targets = targets_of(references, args.target)
    held_out = read_split(args.held_out)
    first = next(iter(references.values()))[0]
    console = terminal(stderr=True)
    quantizer = None
    with console.status("reading data"):
        trial = open_trial(first.task, args.data, held_out, first.preprocess.size_px, args.seed)
        if any("int8" in _precisions(args, target) for target in targets):
            chosen = _calibration_set(args, held_out)
            feeds = feeds_of(references, inputs_of(chosen, args.data, first.preprocess))
            quantizer = ModelQuantizer(references=references, chosen=chosen, feeds=feeds)
    command = recorded("compile", argv)
    died = False
    for target in targets:
        plan = Plan(
            target=target,
            precisions=_precisions(args, target),
            backend=judging_backend(target, args.backend),
            method=args.method,
            tolerances={**TOLERANCES, **dict(args.tolerance)},
            rounds=args.runs,
            threads=args.threads,
            ranks_layers=args.report is not None,
            command=command,
        )
        with console.status("") as status:
            outcomes = run_plan(args.model, plan, trial, quantizer, lambda step: status.update(escape(step)))
        died |= any(o.died for o in outcomes)
        best = winner(outcomes)
        print_outcomes(outcomes, target, trial.data)
        if args.report:
            report = args.report.with_stem(f"{args.report.stem}-{target}") if len(targets) > 1 else args.report
            report.parent.mkdir(parents=True, exist_ok=True)
            with console.status("writing the report"):
                write_report(report, outcomes, best, quantizer, plan)
            print(report)
        if target != "cpu":
            _build(args.model, best.manifest, target, command)
    return 1 if died else 0


def targets_of(references: Graphs, wanted: str) -> tuple[str, ...]:
    """The targets to compile for. Raises ModelError for a refining model and a GPU, on which nothing runs it."""
    if is_refiner(references):
        if wanted not in ("auto", "cpu"):
            raise ModelError(f"a refining model runs on the CPU, not on {wanted}; give --target cpu or leave it out")
        return ("cpu",)
    return {"auto": (local_target(),), "all": ALL}.get(wanted, (wanted,))


def _precisions(args: argparse.Namespace, target: str) -> tuple[str, ...]:
    return TARGETS[target] if args.precision == "auto" else tuple({args.precision} - {"fp32"})


def _calibration_set(args: argparse.Namespace, held_out: Sequence[str]) -> CalibrationSet:
    if args.calibration:
        chosen = read_set(args.calibration)
        check_disjoint(chosen, held_out)
        return chosen
    chosen = choose_from(args.data, args.count, held_out, args.seed)
    write_set(chosen, args.model / "calibration" / "set.json")
    return chosen


def _build(folder: Path, best: Manifest, target: str, command: str) -> None:
    """Build the chosen engine where this machine can, else print what to run on the device."""
    precision = best.precision
    local = compute_capability()
    if target == "orin" and not detect().jetson_linux:
        print(f"engines for Jetson are built on it: copy {folder} there and run\n  {device_command(folder, precision)}")
        return
    library = "tensorrt" if target == "orin" or find_spec("tensorrt") else "tensorrt_rtx"
    if not find_spec(library):
        print(
            f"no engine was built: pip install 'echoedge[rtx]', then echoedge engine {folder} --precision {precision}"
        )
        return
    settings = EngineSettings(compute_capabilities=DEFAULT_RTX if library == "tensorrt_rtx" else ())
    with Progress(console=terminal(stderr=True), transient=True) as progress:
        found = find_manifests(folder)
        manifest, path = choose(found, best.task, precision, "tensorrt", allow_failed_gate=True)
        sidecar, _ = build_engine(manifest, path, library, open_library(library), settings, command, local, progress)
    print(f"{sidecar.with_suffix('.engine')}: built, not run here")


def mean_of(scores: Scores, metric: str) -> float:
    """Mean of a metric over the views."""
    return float(np.mean([value for (_, name), value in scores.items() if name == metric]))


def print_outcomes(outcomes: Sequence[Outcome], target: str, data: str) -> None:
    """The table of what was made, and why something was not chosen."""
    console = terminal()
    first, best = outcomes[0], winner(outcomes)
    metrics = list(dict.fromkeys(metric for _, metric in first.scores))
    table = Table(
        box=SIMPLE, title=f"{first.manifest.name} for {target}", caption=f"{data}; {machine_name()}; - was not run"
    )
    headings = ("precision", "MB", *(f"{metric} Δ" for metric in metrics), "p50/p90 ms", "")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("precision", "") else "right", no_wrap=True)
    for outcome in outcomes:
        cells = [
            outcome.manifest.precision,
            f"{outcome.size_mb:.2f}",
        ]
        for metric in metrics:
            if outcome.died:
                cells.append("-")
                continue
            value = mean_of(outcome.scores, metric)
            digits = 2 if metric.endswith("mm") else 4
            change = "" if outcome is first else f" {value - mean_of(first.scores, metric):+.{digits}f}"
            cells.append(f"{value:.{digits}f}{change}")
        times = " + ".join("/".join(f"{t:.1f}" for t in pair) for pair in outcome.latency_ms.values()) or "-"
        table.add_row(*cells, times, "chosen" if outcome is best else "failed" if outcome.died else "")
    console.print(table)
    for outcome in outcomes:
        for manifest, _ in outcome.graphs.values():
            for failure in [outcome.died] if outcome.died else manifest.gates.failures():
                console.print(f"{manifest.file} is not used: {failure}")
            if names := manifest.evidence.get("float_nodes"):
                console.print(f"{manifest.file} keeps in float: {', '.join(names)}")
        if outcome.methods:
            compared = Table(title=f"calibration of {outcome.files}", caption="on calibration frames; 0 is FP32")
            compared.add_column("method")
            compared.add_column("distance from FP32", justify="right")
            for name, value in sorted(outcome.methods.items(), key=lambda item: item[1]):
                used = "  used" if name == outcome.manifest.evidence["calibration"] else ""
                compared.add_row(f"{name}{used}", f"{value:.4f}")
            console.print(compared)
    if target != "cpu" and any(o.manifest.precision == "int8" for o in outcomes):
        console.print("INT8 for a GPU is chosen only after a race on that GPU; FP16 stands until then.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
