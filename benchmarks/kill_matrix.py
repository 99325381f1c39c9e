"""What is left of a run that writes mp4, JSON lines and a recording, wherever and however it is ended.

Usage: python benchmarks/kill_matrix.py [--points 10] [--lines 120]
One row for each way to end it (key q, SIGINT, SIGTERM, SIGHUP, SIGKILL): exit codes, lines that were on disk and are
not any more, frames whose figures the replay of the recording has otherwise, and the largest part of the recording
that is missing. Exit code 1 where a row is not as docs/runtime.md has it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from tests.edge.endings import KEY, Left, ended
from tests.edge.sinks.test_network import virtual_screen

CODES = {KEY: 0, "SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGKILL": -9}


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("--points", type=int, default=10, help="points of a run at which it is ended")
    p.add_argument("--lines", type=int, default=120, help="lines that stand at the last point")
    p.add_argument("--how", action="append", choices=CODES, help="repeatable (default: all)")
    args = p.parse_args()
    points = [round(k * args.lines / max(args.points - 1, 1)) for k in range(args.points)]
    bad = 0
    print("| ended by | runs | exit codes | lines lost | unplayable | replay differs | recording ends earlier by |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for how in args.how or CODES:
            with virtual_screen() if how == KEY else nullcontext(None) as environment:
                rows = [ended(Path(folder) / f"{how}-{point}", how, point, environment) for point in points]
            bad += not show(how, rows)
    return 1 if bad else 0


def show(how: str, rows: list[Left]) -> bool:
    """Print a row; whether it is as it should be."""
    codes = sorted({row.code for row in rows})
    lost = sum(max(0, row.seen - row.lines) for row in rows)
    unplayable = sum(row.lines > 0 and row.pictures == 0 and row.missing_s > 1 for row in rows)
    differs, missing_s = sum(row.differs for row in rows), max(row.missing_s for row in rows)
    print(f"| {how} | {len(rows)} | {codes} | {lost} | {unplayable} | {differs} | {missing_s:.2f} s |", flush=True)
    limit_s = 1.0 if how == "SIGKILL" else 0.0
    return codes == [CODES[how]] and not lost and not unplayable and not differs and missing_s <= limit_s


if __name__ == "__main__":
    sys.exit(main())
