"""`echoedge demo`: a synthetic patient, for whom nothing has to be fetched or plugged in."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from edge.run import main as run

PATIENT = "synth://a4c?seed=3&fps=30&severity=0&layout=screen1"
"""A four-chamber view on a scanner's screen."""
RECORDED, LIVE = f"{PATIENT}&frames=100", f"{PATIENT}&frames=0&dropout=6"
"""Three beats; a signal without an end that is lost every six seconds."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge demo",
        description="Analyse three beats of a computer-generated four-chamber view into files, or show it in a window "
        "like a live signal that is lost now and then. Research use only.",
        epilog="example: echoedge demo --window",
    )
    p.add_argument("--window", action="store_true", help="show it without an end; keys: q ends, f full screen")
    p.add_argument("--out", help="folder for demo.mp4, .jsonl, .png and _best.png (default: out; none with --window)")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    line = [LIVE, "--pace", "native", "--sink", "window://"] if args.window else [RECORDED]
    line += ["--view", "A4C"]
    if args.out or not args.window:
        line += ["--out", args.out or "out", "--name", "demo"]
    return run(line)
