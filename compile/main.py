"""`echoedge compile`: from the FP32 file of a model folder to what a target runs, with the evidence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from calib.choose import CalibrationSet, check_disjoint, read_set, write_set
from compile.build import artefact_for, build_engine, device_command
from compile.calibration import choose_from, feed_of, inputs_of
from compile.engine import EngineSettings
from compile.gates import TOLERANCES
from compile.pipeline import Calibration, Outcome, Plan, judging_backend, reference_of, run_plan, winner
from compile.ranges import METHODS
from compile.report import write_report
from compile.score import Scores, open_trial
from compile.targets import DEFAULT_RTX
from edge.jetson.board import detect
from edge.machine import compute_capability, machine_name, recorded
from edge.nets.backends import BACKENDS
from edge.nets.backends.trt import open_library
from train.data.camus import read_split

TARGETS = {"cpu": ("int8",), "orin": ("fp16", "int8"), "rtx": ("fp16", "int8")}
"""Target -> the precisions that `auto` makes beside FP32."""
ALL = ("cpu", "orin")
"""Targets that together have every file: both kinds of NVIDIA target read the same."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge compile",
        description="Make, judge and choose the artefacts of a target: FP16, INT8 with Q/DQ, engines. Exit code 1 where an "
        "engine failed on one of them, 0 where all were judged, whatever the gates say.",
        epilog="example: echoedge compile models/pspnet-mk --data camus:/data/camus --held-out split_valid.txt",
    )
    p.add_argument("model", type=Path, help="model folder with fp32.onnx, from `echoedge export`")
    p.add_argument("--target", choices=("auto", "all", *TARGETS), default="auto", help="auto: what this machine is")
    p.add_argument("--precision", choices=("auto", "fp32", "fp16", "int8"), default="auto")
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER of frames, may be repeated")
    p.add_argument("--held-out", type=Path, required=True, help="file of the patients that accuracy is judged on")
    p.add_argument("--calibration", type=Path, help="list file of `echoedge calib choose` (default: choose one)")
    p.add_argument("--count", type=int, default=128, help="calibration frames to choose (default 128)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--method", choices=("auto", *METHODS), default="auto", help="auto: closest to FP32 on the set")
    p.add_argument("--backend", choices=("auto", *BACKENDS), default="auto", help="engine of the target cpu")
    p.add_argument("--threads", type=int, help="threads a network may use (default: all cores)")
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
        raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(TOLERANCES)}")
    return name, float(value)


def local_target() -> str:
    """orin on a Jetson, rtx with another NVIDIA GPU, cpu elsewhere."""
    if detect().jetson_linux:
        return "orin"
    return "rtx" if compute_capability() else "cpu"


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    targets = {"auto": (local_target(),), "all": ALL}.get(args.target, (args.target,))
    held_out = read_split(args.held_out)
    reference, path = reference_of(args.model)
    console = Console(stderr=True)
    calibration = None
    with console.status("reading data"):
        trial = open_trial(reference.task, args.data, held_out, reference.preprocess.size_px, args.seed)
        if any("int8" in _precisions(args, target) for target in targets):
            chosen = _calibration_set(args, held_out)
            frames = inputs_of(chosen, args.data, reference.preprocess)
            source = path.with_name(reference.file)
            calibration = Calibration(source, chosen, feed_of(reference, source, frames))
    command = recorded("compile", argv)
    died = False
    for target in targets:
        plan = Plan(
            target,
            _precisions(args, target),
            judging_backend(target, args.backend),
            args.method,
            {**TOLERANCES, **dict(args.tolerance)},
            args.runs,
            args.threads,
            args.report is not None,
            command,
        )
        with console.status("") as status:
            outcomes = run_plan(args.model, plan, trial, calibration, status.update)
        died |= any(o.died for o in outcomes)
        best = winner(outcomes)
        print_outcomes(outcomes, target, trial.data)
        if args.report:
            report = args.report.with_stem(f"{args.report.stem}-{target}") if len(targets) > 1 else args.report
            report.parent.mkdir(parents=True, exist_ok=True)
            with console.status("writing the report"):
                write_report(report, outcomes, best, calibration, plan)
            print(report)
        if target != "cpu":
            _build(args.model, best.manifest.precision, target, command)
    return 1 if died else 0


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


def _build(folder: Path, precision: str, target: str, command: str) -> None:
    """Build the chosen engine where this machine can, else print what to run on the device."""
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
    with Progress(console=Console(stderr=True), transient=True) as progress:
        manifest, path = artefact_for(folder, precision)
        sidecar, _ = build_engine(manifest, path, library, open_library(library), settings, command, local, progress)
    print(f"{sidecar.with_suffix('.engine')}: built, not run here")


def mean_of(scores: Scores, metric: str) -> float:
    """Mean of a metric over the views."""
    return float(np.mean([value for (_, name), value in scores.items() if name == metric]))


def print_outcomes(outcomes: Sequence[Outcome], target: str, data: str) -> None:
    """The table of what was made, and why something was not chosen."""
    console = Console()
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
            f"{(outcome.path.parent / outcome.manifest.file).stat().st_size / 1e6:.2f}",
        ]
        for metric in metrics:
            if outcome.died:
                cells.append("-")
                continue
            value = mean_of(outcome.scores, metric)
            digits = 2 if metric.endswith("mm") else 4
            change = "" if outcome is first else f" {value - mean_of(first.scores, metric):+.{digits}f}"
            cells.append(f"{value:.{digits}f}{change}")
        times = "/".join(f"{t:.1f}" for t in outcome.latency_ms) if outcome.latency_ms else "-"
        table.add_row(*cells, times, "chosen" if outcome is best else "failed" if outcome.died else "")
    console.print(table)
    for outcome in outcomes:
        for failure in [outcome.died] if outcome.died else outcome.manifest.gates.failures():
            console.print(f"{outcome.manifest.file} is not used: {failure}")
        names = outcome.manifest.evidence.get("float_nodes")
        if names:
            console.print(f"{outcome.manifest.file} keeps in float: {', '.join(names)}")
        if outcome.methods:
            compared = Table(
                title=f"calibration of {outcome.manifest.file}", caption="on calibration frames; 0 is FP32"
            )
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
