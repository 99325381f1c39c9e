"""The papers' tables, run again: `echoedge reproduce TABLE`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

TABLES = {
    "pspnet-table1": ("train.reproduce.pspnet_table1", "PSPNet-MK paper, table 1 and figures 7-10"),
    "ral": ("train.reproduce.ral", "RAL paper, tables 2-4 and figure 5"),
    "echo-dnd": ("train.reproduce.echo_dnd", "Echo-DND paper, tables 2 and 4, and what each denoising step is worth"),
    "quality-table4": (
        "train.reproduce.quality_table4",
        "regional-quality paper, tables 3, 4, 8 and 9 and figures 4-5",
    ),
}
"""Table -> module with `main(argv) -> exit code`, one line of help."""


def main(argv: Sequence[str]) -> int:
    """Dispatch on the table's name; exit code 2 for another name."""
    name = argv[0] if argv else "--help"
    if name in TABLES:
        return int(importlib.import_module(TABLES[name][0]).main(argv[1:]))
    wanted = name in ("-h", "--help")
    width = max(map(len, TABLES))
    lines = [
        "usage: echoedge reproduce TABLE [options]",
        "",
        *(f"  {table:{width}}  {text}" for table, (_, text) in TABLES.items()),
        "",
        "example: echoedge reproduce pspnet-table1 --scale cpu --data camus:/data/camus --valid split_valid.txt",
    ]
    print("\n".join(lines), file=sys.stdout if wanted else sys.stderr)
    return 0 if wanted else 2
