"""Options that several commands of this package share, as parent parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edge.options import add_backend, add_precision

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
FIT_OPTIONS = ("epochs", "lr", "batch", "accumulate", "patience", "workers", "mixed_precision", "seed")
"""Options that are fields of `train.facts.FitConfig`; None where not given, which leaves the recipe's."""


def training_options(kinds: str = "camus:… or folder:…", *, required: bool = True) -> argparse.ArgumentParser:
    """Data, validation, the run's configuration and its folder, of a command that trains."""
    p = argparse.ArgumentParser(add_help=False)
    p.add_argument(
        "--data", action="append", default=[], required=required, help=f"KIND:FOLDER, may be repeated: {kinds}"
    )
    p.add_argument(
        "--valid", help="file of patient names kept for validation, or KIND:FOLDER (default: a tenth, seeded)"
    )
    p.add_argument("--epochs", type=int, help="default: the recipe's")
    p.add_argument("--lr", type=float, help="learning rate (default: the recipe's)")
    p.add_argument("--batch", type=int, help="items an optimiser step (default: the recipe's)")
    p.add_argument("--accumulate", type=int, help="parts that a batch is computed in, to save memory (default 1)")
    p.add_argument("--patience", type=int, help="stop after so many epochs without a better score (default: never)")
    p.add_argument(
        "--mixed-precision",
        action=argparse.BooleanOptionalAction,
        help="bfloat16 where the device has it (default: the recipe's)",
    )
    p.add_argument("--workers", type=int, help="processes that prepare items (default: the recipe's)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=required, help="folder for checkpoints; an existing one is resumed")
    return p


def given(args: argparse.Namespace, defaults: Config, names: Sequence[str] = FIT_OPTIONS) -> Config:
    """`defaults` (a dataclass) with those options that were given on the command line."""
    return replace(defaults, **{n: getattr(args, n) for n in names if getattr(args, n) is not None})


def evaluation_options() -> argparse.ArgumentParser:
    """Which patients, and in what form the result is printed."""
    p = argparse.ArgumentParser(add_help=False)
    p.add_argument("--split", type=Path, help="file of patient names, one a line (default: all)")
    p.add_argument("--json", action="store_true", help="print the result as JSON")
    return p


def artefact_options() -> argparse.ArgumentParser:
    """Which file of a model folder, and what runs it."""
    p = argparse.ArgumentParser(add_help=False)
    add_precision(p)
    add_backend(p)
    return p


def table_options(table: str, scales: Iterable[str], cpu: str) -> argparse.ArgumentParser:
    """How much of a paper's work is done, and where its rows and its section go. cpu: the time that scale takes."""
    p = argparse.ArgumentParser(add_help=False)
    p.add_argument(
        "--scale", choices=tuple(scales), default="cpu", help=f"smoke: minutes; cpu: {cpu}; full: a GPU (default cpu)"
    )
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, help=f"folder of rows and checkpoints (default: below runs/{table})")
    p.add_argument(
        "--results",
        type=Path,
        metavar="FILE.md",
        help="Markdown file whose section is written, with its figures beside it (default: results.md in the folder of "
        "the rows)",
    )
    return p
