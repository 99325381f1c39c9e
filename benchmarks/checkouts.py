"""The pipeline of another checkout beside this one's, in turn, on the same clip: did a change pay?

Usage: git worktree add ../before COMMIT; python benchmarks/checkouts.py ../before [LOOP] --seconds 60 Prints ratios,
this checkout over the other, which hold on a busy machine, too. CPU time a frame is of the whole process. The other
checkout must know `edge/bench/worker.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

import msgspec
from rich.table import Table

from edge.bench.clip import default_clip
from edge.bench.interleave import Worker
from edge.bench.session import add_options, perform
from edge.bench.stats import ratio_interval
from edge.bench.worker import Spec
from edge.nets.shelf import SHIPPED
from edge.terminal import terminal

HERE = Path(__file__).resolve().parent.parent


def pipeline_of(checkout: Path, name: str, source: str) -> Worker:
    """The pipeline worker of a checkout, whatever is installed."""
    models = checkout / SHIPPED.relative_to(HERE)
    spec = Spec("pipeline", name, source, str(models / "pspnet-mk"), str(models / "quality"))
    os.environ["PYTHONPATH"] = str(checkout)
    return Worker(name, "pipeline", [sys.executable, "-m", "edge.bench.worker", msgspec.json.encode(spec).decode()], {})


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("other", type=Path, help="folder of the other checkout")
    p.add_argument("source", nargs="?", default="", help="clip (default: a synthetic 1280x720 screen)")
    add_options(p)
    args = p.parse_args()
    source = str(Path(args.source).resolve() if args.source else default_clip())
    builders = [
        partial(pipeline_of, HERE, "this", source),
        partial(pipeline_of, args.other.resolve(), "other", source),
    ]
    os.chdir("/")  # the working directory comes before PYTHONPATH
    result = perform(builders, "pipeline", args, ["checkouts"])
    this, other = result.runs[:2]
    ratio, low, high = ratio_interval(other.samples_ms, this.samples_ms)
    cpu = (this.cpu_cores / this.fps) / (other.cpu_cores / other.fps)
    load = f"others used {result.conditions.other_load_cores:.2f} of {result.machine.cores} cores meanwhile"
    table = Table("this / other", "ratio", title=f"{this.frames} and {other.frames} frames; {load}")
    table.add_row("frames a second", f"{this.fps / other.fps:.3f}")
    table.add_row("CPU time a frame", f"{cpu:.3f}")
    table.add_row("capture to drawn, p50", f"{ratio:.3f} ({low:.3f} to {high:.3f})")
    terminal().print(table)


if __name__ == "__main__":
    main()
