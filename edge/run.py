"""`echoedge run`: a recording in, annotated video, measurements and a summary out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from edge.backends import BACKENDS
from edge.errors import ModelError
from edge.loop import LoopOptions, Report, run_loop
from edge.model import PREFERRED, QualityScorer, Segmenter, open_model
from edge.regions import WALLS
from edge.sinks import open_sink
from edge.sources import Live, open_source
from edge.sources.paced import Paced

MODELS = Path(__file__).resolve().parent.parent / "models"
SUFFIXES = (".mp4", ".jsonl", ".png")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge run",
        description="Segment, score and measure every frame of a recording. Research use only.",
        epilog="example: echoedge run loop.dcm --out out --view A4C",
    )
    p.add_argument("source", help="video file, DICOM file, picture or folder of pictures")
    p.add_argument("--out", type=Path, help="folder for NAME.mp4, NAME.jsonl and NAME.png")
    p.add_argument("--name", help="name of the outputs (default: that of the source)")
    p.add_argument("--model", type=Path, default=MODELS / "pspnet-mk", help="segmentation model folder")
    p.add_argument("--quality", type=Path, default=MODELS / "quality", help="quality model folder")
    p.add_argument("--precision", choices=("auto", *PREFERRED), default="auto")
    p.add_argument("--backend", choices=("auto", *BACKENDS), default="auto")
    p.add_argument("--threads", type=int, help="threads a network may use (default: all cores)")
    p.add_argument("--view", choices=tuple(WALLS), default="", help="names the walls; unknown: left and right")
    p.add_argument(
        "--pace", choices=("fast", "native"), default="fast",
        help="native: frames come at the recording's own rate like a live signal, the newest wins",
    )  # fmt: skip
    p.add_argument("--json", action="store_true", help="print the report as JSON")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    with ExitStack() as stack:
        source = open_source(args.source)
        if args.pace == "native" and not isinstance(source, Live):
            source = Paced(source)
        stack.enter_context(source)
        segmenter = stack.enter_context(open_model(args.model, args.precision, args.backend, args.threads))
        scorer = stack.enter_context(open_model(args.quality, args.precision, args.backend, args.threads))
        if not isinstance(segmenter, Segmenter):
            raise ModelError(f"{args.model} is a {segmenter.manifest.task} model; --model needs segmentation")
        if not isinstance(scorer, QualityScorer):
            raise ModelError(f"{args.quality} is a {scorer.manifest.task} model; --quality needs quality")
        sinks = []
        if args.out:
            name = args.name or Path(args.source).stem
            paths = [args.out / f"{name}{suffix}" for suffix in SUFFIXES]
            sinks = [stack.enter_context(open_sink(path, source.fps, args.view)) for path in paths]
        report = run_loop(source, segmenter, scorer, sinks, LoopOptions(args.view))
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(asdict(report))).decode() + "\n")
    else:
        print_report(report, args.source)
        for path in paths if args.out else ():
            print(path)
    return 0


def print_report(report: Report, source: str) -> None:
    """The summary table on the terminal."""
    console = Console()
    table = Table(title=f"{Path(source).name}: {report.fps:.1f} frames a second, {report.backend} {report.precision}")
    for heading in ("stage", "p50 ms", "p90 ms", "p99 ms", "max ms"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage, row in report.latency_ms.items():
        table.add_row(stage, *(f"{row[key]:.2f}" for key in ("p50", "p90", "p99", "max")))
    console.print(table)
    console.print(
        f"frames: {report.frames_in} in, {report.frames_processed} processed, {report.frames_dropped} dropped"
    )
    marks = ", ".join(f"{e['kind']} at frame {e['frame']}" for e in report.events)
    console.print(f"beats: {marks or 'no ED or ES found'}")
    fractions = report.ejection_fraction_percent
    if fractions:
        console.print(
            f"ejection fraction (single plane): median {np.median(fractions):.0f} % of {len(fractions)} ED-ES pairs"
        )
    console.print("Research use only; not a medical device.")
