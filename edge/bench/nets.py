"""`echoedge bench nets`: each network alone, every precision on every backend, in turn."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from edge.bench.clip import default_clip
from edge.bench.command import listed
from edge.bench.interleave import worker_of
from edge.bench.session import add_options, conclude, perform
from edge.bench.worker import Spec
from edge.errors import BackendError
from edge.nets.artefacts import PRECISIONS, readable, tasks_of
from edge.nets.backends import BACKENDS
from edge.nets.manifest import find_manifests


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge bench nets",
        description="Latency of each network alone, batch 1, on frames of a clip: every precision on every backend, "
        "measured in turn. Quote the ratios.",
        epilog="example: echoedge bench nets --model models/pspnet-mk --precision fp32,int8 --out bench",
    )
    p.add_argument("--model", action="append", metavar="FOLDER", help="repeatable (default: both shipped networks)")
    p.add_argument("--precision", default=",".join(PRECISIONS), help="list (default: all that the folder has)")
    p.add_argument("--backend", default="", help="list (default: all that are installed)")
    p.add_argument("--source", default="", help="where the frames come from (default: a synthetic 1280x720 screen)")
    add_options(p)
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    backends = listed(args.backend or ",".join(n for n in BACKENDS if find_spec(n)), tuple(BACKENDS))
    precisions = listed(args.precision, PRECISIONS)
    source = args.source or str(default_clip())
    builders = []
    for folder in args.model or ["pspnet-mk", "quality"]:
        found = find_manifests(folder)
        cpu = {precision for task in tasks_of(found) for precision in readable(found, task, "cpu")}
        # A compiled engine is read by one backend only, which "auto" takes.
        engines = {manifest.precision for manifest, _ in found if manifest.engine is not None}
        pairs = [(backend, p) for backend in backends for p in precisions if p in cpu]
        pairs += [("auto", p) for p in precisions if p in engines and find_spec("tensorrt")]
        for backend, precision in pairs:
            name = f"{Path(folder).name} {'tensorrt' if backend == 'auto' else backend} {precision}"
            spec = Spec("net", name, source, model=folder, precision=precision, backend=backend, threads=args.threads)
            builders.append(partial(worker_of, spec))
    if not builders:
        raise BackendError("no file of these models, precisions and backends can run here; see `echoedge doctor`")
    return conclude(perform(builders, "nets", args, ["bench", "nets", *argv]), args)
