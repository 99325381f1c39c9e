"""`echoedge weights get`: fetch what a wheel does not hold."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.progress import BarColumn, Progress, TextColumn

from edge.errors import ModelError
from edge.nets.shelf import SETTING, SHIPPED, read_index, store
from edge.terminal import terminal
from edge.weights.fetch import fetch_model


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge weights get",
        description="Fetch every file of a published model: all precisions, checkpoint, calibration set. Each is "
        f"checked against the sha256 that came with EchoEdge. They go to {store()}; {SETTING} names another folder.",
        epilog="example: echoedge weights get pspnet-mk --from echoedge/models",
    )
    p.add_argument("names", nargs="+", metavar="NAME", help="such as pspnet-mk; `echoedge weights list` shows all")
    p.add_argument("--from", dest="origin", default="", metavar="FOLDER|URL", help="what holds NAME/FILE")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    index = read_index()
    for name in args.names:
        if name not in index.models:
            raise ModelError(f"'{name}' is not a published model; there are {', '.join(index.models)}")
    origin = args.origin or index.url
    if not origin:
        raise ModelError(
            "this version does not know where models are published; give --from: the folder `models` of a clone, or "
            "the URL of one"
        )
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.completed:.1f} MB"))
    for name in args.names:
        files, folder = index.models[name], store() / name
        with Progress(*columns, console=terminal(stderr=True), transient=True) as progress:
            task = progress.add_task(name, total=sum(facts.bytes for facts in files.values()) / 1e6)

            def say(file: str, size: int) -> None:
                progress.update(task, description=file, advance=size / 1e6)  # noqa: B023 - called within the loop

            came = fetch_model(name, files, [str(SHIPPED), origin], folder, say)
        print(f"{folder}: {len(files)} files, {came / 1e6:.1f} MB of them fetched")
    return 0
