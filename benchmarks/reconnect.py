"""Kill and restart the sender again and again: how long until frames come back, and does anything leak?

Usage: python benchmarks/reconnect.py [--times 20] [--up 2] [--down 1] [--json FILE]
The time counts from the moment the restarted server listens, so it holds the back-off and the opening of the stream.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from senders import make_pictures, start_server

from edge.sources import Live, open_source
from tests.peers.processes import free_port

GIVE_UP_S = 60.0


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--times", type=int, default=20)
    p.add_argument("--up", type=float, default=2.0, help="seconds that the sender sends")
    p.add_argument("--down", type=float, default=1.0, help="seconds that it is gone")
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    newest = {"at": 0.0, "frames": 0}
    waits, threads, files = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(Path(folder), 640, 480)
        port = free_port()
        source = open_source(f"rtsp://127.0.0.1:{port}/echo?wait&timeout=1")
        assert isinstance(source, Live)

        def read() -> None:
            for _ in source:
                newest["at"], newest["frames"] = time.monotonic(), newest["frames"] + 1

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        for _ in range(args.times):
            server = start_server(port, Path(folder), 30)
            listens = time.monotonic()
            try:
                while newest["at"] < listens and time.monotonic() - listens < GIVE_UP_S:
                    time.sleep(0.01)
                waits.append(newest["at"] - listens if newest["at"] >= listens else float("nan"))
                time.sleep(args.up)
            finally:
                server.kill()
                server.wait()
            time.sleep(args.down)
            threads.append(threading.active_count())
            files.append(len(os.listdir("/proc/self/fd")))
        source.stop()
        reader.join(30)
    figures = {
        "restarts": args.times, "came_back": int(np.isfinite(waits).sum()), "reconnects": source.reconnects,
        "seconds_to_first_frame": {"median": float(np.nanmedian(waits)), "max": float(np.nanmax(waits))},
        "threads": [threads[0], threads[-1]], "open_files": [files[0], files[-1]], "frames": newest["frames"],
    }  # fmt: skip
    Console().print(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
