"""From the fault to the banner: how long each safe state takes with the default limits.

Usage: python benchmarks/safe_states.py [--times 5] Phantom screens at 50 fps and networks that answer at once, so that
the figures are the loop's own. The time runs from the last good frame (for a stuck network: from the start of the
inference that hangs) to the finished picture with the banner.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edge.sinks import Shown
from edge.stages.safety import Limits
from edge.terminal import terminal
from tests.edge.test_loop import Run, Screens, Watcher, black, silent, still
from tests.peers.processes import wait_until


class Stopwatch(Watcher):
    """Notes when the first banner after `armed` was handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.armed, self.at = False, 0.0

    def write(self, shown: Shown) -> None:
        if self.armed and shown.banner:
            self.at, self.armed = time.monotonic(), False
        super().write(shown)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--times", type=int, default=5)
    times = p.parse_args().times
    table = Table("fault", "median ms", "max ms")
    faults = {"no signal": silent, "frozen": still, "black": black, "stuck": None, "invalid": None}
    for name, change in faults.items():
        waits = []
        for _ in range(times):
            source, watch = Screens(), Stopwatch()
            with Run(source, [watch], Limits(recover_frames=2)) as run:
                wait_until(lambda watch=watch: watch.contour, "the overlay")
                good = run.score_net.answer
                watch.armed, started = True, time.monotonic()
                if change is not None:
                    source.change = change
                elif name == "stuck":
                    run.segment_net.free.clear()
                else:
                    run.score_net.answer = lambda: np.full(8, np.nan, np.float32)
                wait_until(lambda watch=watch: watch.at, "the banner")
                waits.append(1000 * (watch.at - started))
                run.score_net.answer = good
        table.add_row(name, f"{np.median(waits):.0f}", f"{max(waits):.0f}")
    terminal().print(table)


if __name__ == "__main__":
    main()
