"""`echoedge bench`: the whole pipeline, measured so that the figures can be believed; and two results compared."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import cast

import msgspec
from rich.table import Table

from edge.bench.clip import default_clip
from edge.bench.compare import Comparison, compare
from edge.bench.interleave import worker_of
from edge.bench.result import SCHEMA_FILE, read_result
from edge.bench.session import add_options, conclude, perform
from edge.bench.worker import Spec
from edge.config import REFINE, RefineMode
from edge.errors import EchoEdgeError
from edge.nets.artefacts import PRECISIONS
from edge.nets.backends import BACKENDS
from edge.refine.refiner import SAMPLES
from edge.sources.address import redacted
from edge.terminal import terminal

REGRESSED = 1


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge bench",
        description="Latency and frame rate of the whole pipeline, every frame through both networks. Several sources, "
        "precisions and backends are measured in turn. A run that other load or heat disturbed is called invalid, "
        "shows no figures and ends with exit code 1. See also `echoedge bench nets`, `bench glass`, `bench loadgen`, "
        "`bench roofline`.",
        epilog="example: echoedge bench loop.mp4 --seconds 600 --out bench",
    )
    p.add_argument(
        "source", nargs="*", help="any source of `echoedge run` (default: a synthetic 1280x720 screen, H.264)"
    )
    p.add_argument("--model", default="pspnet-mk", help="segmentation model folder")
    p.add_argument("--quality", default="quality", help="quality model folder")
    p.add_argument(
        "--precision", default="auto", help=f"one or several, such as int8,fp32 (auto, {', '.join(PRECISIONS)})"
    )
    p.add_argument("--backend", default="auto", help=f"one or several (auto, {', '.join(BACKENDS)})")
    p.add_argument(
        "--refine",
        default="off",
        help=f"one or several ({', '.join(REFINE)}); with --at-fps, since a recording waits for its refined frames",
    )
    p.add_argument("--refine-model", default="echo-dnd", help="refining model folder")
    p.add_argument("--refine-samples", type=int, default=SAMPLES, metavar="K", help="samples a refined frame")
    p.add_argument("--sink", action="append", default=[], metavar="URI", help="an output of `echoedge run`, repeatable")
    p.add_argument(
        "--at-fps", type=float, default=0, help="frames come at this rate like a live signal, late ones are dropped"
    )
    p.add_argument(
        "--fifo-priority", type=int, default=0, help="as of `echoedge run`: SCHED_FIFO for the loop's threads"
    )
    p.add_argument("--limit-ms", type=float, default=0, help="also find the highest rate whose p99 stays within this")
    p.add_argument("--compare", nargs=2, type=Path, metavar=("BASE", "NEW"), help="compare two result.json instead")
    p.add_argument(
        "--regression",
        type=float,
        metavar="PERCENT",
        help="with --compare: by ratios to the yardstick alone; exit code 1 if anything is slower by more than this",
    )
    p.add_argument("--schema", action="store_true", help="print the JSON schema of result.json")
    add_options(p)
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if args.schema:
        print(SCHEMA_FILE.read_text(), end="")
        return 0
    if args.compare:
        return show_comparison(args)
    if args.regression is not None:
        raise EchoEdgeError("--regression compares two results: add --compare BASE NEW")
    if args.limit_ms and args.at_fps:
        raise EchoEdgeError("--limit-ms looks for the rate itself: leave --at-fps out")
    sources = args.source or [str(default_clip())]
    precisions, backends = listed(args.precision, ("auto", *PRECISIONS)), listed(args.backend, ("auto", *BACKENDS))
    modes = listed(args.refine, REFINE)
    builders = []
    for source, backend, precision, refine in product(sources, backends, precisions, modes):
        spec = Spec(
            "pipeline",
            name_of(source, backend, precision, refine),
            source,
            args.model,
            args.quality,
            precision,
            backend,
            args.threads,
            tuple(args.sink),
            args.at_fps,
            cast(RefineMode, refine),
            args.refine_model,
            args.refine_samples,
            args.fifo_priority,
        )
        builders.append(partial(worker_of, spec))
    return conclude(perform(builders, "pipeline", args, ["bench", *argv], args.limit_ms), args)


def listed(text: str, known: Sequence[str]) -> list[str]:
    """The parts of a list with commas. Raises EchoEdgeError for one that is not known."""
    parts = [part for part in text.split(",") if part]
    for part in parts:
        if part not in known:
            raise EchoEdgeError(f"'{part}' is unknown; choose from {', '.join(known)}")
    return parts or ["auto"]


def name_of(source: str, backend: str, precision: str, refine: str = "off") -> str:
    """How a pipeline configuration is called."""
    shown = redacted(source) if "://" in source else Path(source).name
    how = [part for part in (backend, precision) if part != "auto"] + (["refine", refine] if refine != "off" else [])
    return " ".join([shown, *how])


def show_comparison(args: argparse.Namespace) -> int:
    base, new = (read_result(path) for path in args.compare)
    relative = args.regression is not None
    rows = compare(base, new, relative)
    slower = [row for row in rows if relative and row.percentile == 50 and row.regressed(args.regression / 100)]
    if args.json:
        print(
            msgspec.json.format(
                msgspec.json.encode([{**row.__dict__, "verdict": row.verdict} for row in rows])
            ).decode()
        )
    else:
        invalid = [name for name, result in (("base", base), ("new", new)) if not result.valid]
        if invalid:
            found = f"invalid: {' and '.join(invalid)}; only ratios to the yardstick mean anything"
            terminal().print(found, style="red")
        terminal().print(comparison_table(rows))
        for row in slower:
            print(f"slower by more than {args.regression:g} %: {row.name} ({100 * (row.low - 1):.1f} % at least)")
    return REGRESSED if slower else 0


def comparison_table(rows: Sequence[Comparison]) -> Table:
    kind = "new / base, both relative to the yardstick" if rows[0].relative else "new / base"
    table = Table("configuration", "percentile", "base ms", "new ms", kind, "95 % interval", "")
    for row in rows:
        table.add_row(
            row.name,
            f"p{row.percentile:g}",
            f"{row.base_ms:.2f}",
            f"{row.new_ms:.2f}",
            f"{row.ratio:.3f}",
            f"{row.low:.3f} to {row.high:.3f}",
            row.verdict,
        )
    return table
