"""Options that several commands share, each with one spelling and one explanation."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.nets.artefacts import PRECISIONS
from edge.nets.backends import BACKENDS


def add_data(p: argparse.ArgumentParser) -> None:
    """--data KIND:FOLDER, repeatable and required: `args.data` is a list."""
    p.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="KIND:FOLDER",
        help="where frames are: camus:/data/camus, folder:FOLDER, or frames:FOLDER of recordings; repeatable",
    )


def add_patients(p: argparse.ArgumentParser, name: str, purpose: str) -> None:
    """--NAME FILE, required: a list of patients, one a line."""
    p.add_argument(name, type=Path, required=True, metavar="FILE", help=f"patients {purpose}, one a line")


def add_seed(p: argparse.ArgumentParser) -> None:
    """--seed, 0 unless given."""
    p.add_argument("--seed", type=int, default=0, help="of every random choice (default 0)")


def add_precision(p: argparse.ArgumentParser) -> None:
    """--precision: "auto" or one of PRECISIONS."""
    p.add_argument("--precision", choices=("auto", *PRECISIONS), default="auto", help="default: the best of the folder")


def add_backend(p: argparse.ArgumentParser) -> None:
    """--backend: "auto" or an engine of the CPU."""
    p.add_argument("--backend", choices=("auto", *BACKENDS), default="auto", help="the CPU's engine (default: auto)")


def add_threads(p: argparse.ArgumentParser) -> None:
    """--threads: None for all cores."""
    p.add_argument("--threads", type=int, help="threads a network may use (default: all cores)")


def add_allow_failed_gate(p: argparse.ArgumentParser) -> None:
    """--allow-failed-gate."""
    p.add_argument("--allow-failed-gate", action="store_true", help="load a file that lost accuracy or gained no speed")


def add_turn(p: argparse.ArgumentParser) -> None:
    """--mirrored and --upside-down."""
    p.add_argument("--mirrored", action="store_true", help="the picture is mirrored left to right (key m)")
    p.add_argument("--upside-down", action="store_true", help="the probe is at the picture's bottom (key u)")
