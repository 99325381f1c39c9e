"""Kill and restart the sender again and again: how long until the banner, until frames come back, and does anything
leak?

Usage: python benchmarks/reconnect.py [--times 20] [--up 2] [--down 1] [--json FILE] The whole loop runs, with networks
that answer at once. "Back" counts from the moment the restarted server listens, so it holds the back-off and the
opening of the stream; "banner" from the kill to the finished picture that says NO SIGNAL. Threads are the system's own,
so that FFmpeg's count, too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from rich.table import Table
from senders import make_pictures, start_server

from edge.loop import LoopOptions, run_loop
from edge.screen.known import KnownScreen
from edge.sinks import Shown
from edge.sources import Live, open_source
from edge.stages.safety import Limits
from edge.terminal import terminal
from tests.edge.nets.doubles import nets
from tests.peers.processes import free_port

GIVE_UP_S = 60.0
MAX_BACK_S, MAX_BANNER_MS = 2.0, 200.0


class Probe:
    """A sink that notes the newest frame's capture and the first banner since it was armed (monotonic seconds, 0 for
    none).
    """

    name = "probe"

    def __init__(self) -> None:
        self.frame_s = self.banner_s = 0.0

    def write(self, shown: Shown) -> None:
        if shown.banner.startswith("NO SIGNAL"):
            self.banner_s = self.banner_s or time.monotonic()
        elif shown.frame is not None:
            self.frame_s = shown.frame.captured_ns / 1e9


def wait_for(condition: object, started: float) -> float:
    """Seconds from `started` until the condition holds, NaN after GIVE_UP_S."""
    assert callable(condition)
    while not condition():
        if time.monotonic() - started > GIVE_UP_S:
            return float("nan")
        time.sleep(0.005)
    return time.monotonic() - started


def held() -> tuple[int, int]:
    """(threads, open descriptors) of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--times", type=int, default=20)
    p.add_argument("--up", type=float, default=2.0, help="seconds that the sender sends")
    p.add_argument("--down", type=float, default=1.0, help="seconds that it is gone")
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    back_s, banner_ms, holds = [], [], []
    probe = Probe()
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(Path(folder), 640, 480)
        port = free_port()
        source = open_source(f"rtsp://127.0.0.1:{port}/echo?wait&timeout=1")
        assert isinstance(source, Live)
        segmenter, scorer, *_ = nets()
        options = LoopOptions(limits=Limits(), screen=KnownScreen(depth_cm=16))
        loop = threading.Thread(target=run_loop, args=(source, segmenter, scorer, [probe], options), daemon=True)
        loop.start()
        for number in range(args.times + 1):  # the first start is no restart
            server = start_server(port, Path(folder), 30)
            listens = time.monotonic()
            try:
                waited = wait_for(lambda listens=listens: probe.frame_s >= listens, listens)
                time.sleep(args.up)
                holds.append(held())
            finally:
                probe.banner_s, killed = 0.0, time.monotonic()
                server.kill()
                server.wait()
            said = wait_for(lambda: probe.banner_s, killed)
            if number:
                back_s.append(waited)
                banner_ms.append(1000 * said)
            time.sleep(args.down)
        source.stop()
        loop.join(30)
    table = Table("restart", "banner ms", "back s", "threads", "descriptors")
    for number, (banner, back, (threads, files)) in enumerate(zip(banner_ms, back_s, holds[1:]), 1):
        table.add_row(str(number), f"{banner:.0f}", f"{back:.2f}", str(threads), str(files))
    figures = {
        "restarts": args.times,
        "came_back": int(np.isfinite(back_s).sum()),
        "reconnects": source.reconnects,
        "back_s": {"median": float(np.median(back_s)), "max": float(np.max(back_s)), "wanted": MAX_BACK_S},
        "banner_ms": {"median": float(np.median(banner_ms)), "max": float(np.max(banner_ms)), "wanted": MAX_BANNER_MS},
        "threads": {"before": holds[0][0], "after": holds[-1][0]},
        "descriptors": {"before": holds[0][1], "after": holds[-1][1]},
    }
    met = max(back_s) <= MAX_BACK_S and max(banner_ms) <= MAX_BANNER_MS and holds[-1] == holds[0]
    console = terminal()
    console.print(table)
    console.print(figures)
    console.print("all as wanted" if met else "NOT as wanted")
    if args.json:
        rows = [{"banner_ms": banner, "back_s": back} for banner, back in zip(banner_ms, back_s)]
        args.json.write_text(json.dumps({**figures, "each": rows}, indent=2) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
