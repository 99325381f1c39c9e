"""`echoedge weights list`: the published models, and which of their files are here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from rich.table import Table

from edge.nets.shelf import SHIPPED, read_index, store
from edge.terminal import terminal

NETWORKS = (".onnx", ".safetensors")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A published model: its networks here and elsewhere, the size of all its files, the folder that it opens from."""

    name: str
    here: tuple[str, ...]
    elsewhere: tuple[str, ...]
    megabytes: float
    folder: str


def rows() -> list[Row]:
    """One a model, in the order of the index."""
    found = []
    for name, files in read_index().models.items():
        folder = next((place / name for place in (store(), SHIPPED) if any((place / name).glob("*.json"))), None)
        networks = [file for file in files if file.endswith(NETWORKS)]
        present = {file for file in networks if folder is not None and (folder / file).is_file()}
        found.append(
            Row(
                name=name,
                here=tuple(Path(file).stem for file in networks if file in present),
                elsewhere=tuple(Path(file).stem for file in networks if file not in present),
                megabytes=round(sum(facts.bytes for facts in files.values()) / 1e6, 1),
                folder=str(folder or ""),
            )
        )
    return found


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge weights list",
        description="The published models: which of their networks are here, and which `echoedge weights get` brings.",
        epilog="example: echoedge weights list",
    )
    p.add_argument("--json", action="store_true", help="print the list as JSON")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if args.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode([asdict(row) for row in rows()])).decode() + "\n")
        return 0
    table = Table("model", "here", "not here", "MB in all", "folder")
    for row in rows():
        table.add_row(row.name, ", ".join(row.here), ", ".join(row.elsewhere), f"{row.megabytes:.1f}", row.folder)
    terminal().print(table)
    return 0
