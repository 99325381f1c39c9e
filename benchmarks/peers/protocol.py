"""The worker's side of edge/bench/worker.py's protocol in plain Python, for peers whose environment has no EchoEdge."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable


def private_stdout() -> int:
    """A copy of stdout for the answers; what libraries print goes to stderr from here on."""
    copy = os.dup(1)
    os.dup2(2, 1)
    return copy


def serve(stdout: int, facts: dict[str, str], load_ms: float, frame: Callable[[], object]) -> None:
    """Answer orders until the input ends; `frame` processes one frame."""
    out = os.fdopen(stdout, "w")
    out.write(json.dumps({"facts": facts, "load_ms": load_ms}) + "\n")
    out.flush()
    for line in sys.stdin:
        order = json.loads(line)
        warm_until = time.monotonic() + order["warm_s"]
        while time.monotonic() < warm_until:
            frame()
        started, cpu, stamps = time.monotonic(), time.process_time(), [time.perf_counter()]
        while time.monotonic() - started < order["seconds"]:
            frame()
            stamps.append(time.perf_counter())
        took = [round((b - a) * 1e3, 4) for a, b in zip(stamps, stamps[1:])]  # noqa: RUF007 (a peer may have Python 3.9)
        answer = {
            "stages_ms": {"frame": took},
            "headline": "frame",
            "intervals_ms": took,
            "seconds": time.monotonic() - started,
            "dropped": {},
            "cpu_s": time.process_time() - cpu,
            "peak_mib": peak_mib(),
        }
        out.write(json.dumps(answer) + "\n")
        out.flush()


def peak_mib() -> float:
    """Largest resident size; getrusage would start at the parent's."""
    with open("/proc/self/status") as status:
        found = re.search(r"^VmHWM:\s*(\d+)", status.read(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
