"""A long run on an RTSP stream: frame rate, drops by reason, age of what is shown, growth of memory.

Usage: python benchmarks/soak.py [--seconds 600] [--fps 30] [--width 1280 --height 720] [--json FILE] [any --sink URI]
       python benchmarks/soak.py --fps 60     more than the networks may manage: the newest wins, losses are counted
The slope of the memory is fitted over the second half, when everything is allocated. Age runs from the capture to the
finished picture's arrival at an output. The last column says what is wanted and whether it was met; exit code 1 where
it was not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.table import Table
from senders import make_pictures, start_server

from edge.loop import LoopOptions, run_loop
from edge.machine import machine_name, usable_cores
from edge.nets.model import open_scorer, open_segmenter
from edge.report import Report
from edge.screen.known import KnownScreen
from edge.sinks import Shown, open_sink
from edge.sources import Live, open_source
from edge.stages.safety import Limits
from edge.terminal import terminal
from tests.peers.processes import free_port

KEEPS_UP_FPS = 30
"""Up to here every frame shall be analysed; beyond it the newest wins."""


class Probe:
    """A sink that notes the age of each overlay and how many pictures had none."""

    name = "probe"

    def __init__(self) -> None:
        self.ages_ms: list[float] = []
        self.withheld = 0

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def write(self, shown: Shown) -> None:
        if shown.banner or shown.analysis is None:
            self.withheld += 1
        else:
            assert shown.frame is not None
            self.ages_ms.append((time.monotonic_ns() - shown.frame.captured_ns) / 1e6)


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def soak(args: argparse.Namespace) -> tuple[Report, Probe, list[tuple[float, float]]]:
    """Run; (report, probe, [(seconds, resident MiB)])."""
    memory: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(Path(folder), args.width, args.height)
        port, probe = free_port(), Probe()
        server = start_server(port, Path(folder), args.fps)
        try:
            source = open_source(f"rtsp://127.0.0.1:{port}/echo")
            assert isinstance(source, Live)
            sinks = [probe, *(open_sink(uri, source.fps) for uri in args.sink)]
            with source, open_segmenter(args.model) as segmenter, open_scorer(args.quality) as scorer:
                limits = Limits(
                    signal_ms=args.signal_ms, freeze_ms=args.freeze_ms, stuck_ms=args.stuck_ms, age_ms=args.age_ms
                )
                started = time.monotonic()

                def watch() -> None:
                    while time.monotonic() - started < args.seconds:
                        time.sleep(min(1.0, args.seconds / 40))
                        memory.append((time.monotonic() - started, resident_mib()))
                    source.stop()

                threading.Thread(target=watch, daemon=True).start()
                report = run_loop(
                    source, segmenter, scorer, sinks, LoopOptions(limits=limits, screen=KnownScreen(depth_cm=16))
                )
            for sink in sinks[1:]:
                sink.__exit__(None, None, None)
        finally:
            server.kill()
            server.wait()
    return report, probe, memory


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=600)
    p.add_argument("--fps", type=int, default=30)
    p.add_argument("--width", type=int, default=1280)
    p.add_argument("--height", type=int, default=720)
    p.add_argument("--model", default="pspnet-mk")
    p.add_argument("--quality", default="quality")
    p.add_argument("--sink", action="append", default=[])
    p.add_argument("--json", type=Path)
    for name, default in (("signal", 150), ("freeze", 150), ("stuck", 150), ("age", 200)):
        p.add_argument(f"--{name}-ms", type=float, default=default)
    args = p.parse_args()
    report, probe, memory = soak(args)
    late = np.array(memory[len(memory) // 2 :])
    slope = float(np.polyfit(late[:, 0], late[:, 1], 1)[0] * 600)
    ages = np.array(probe.ages_ms or [np.nan])
    counted = sum(report.dropped.get(reason, 0) for reason in ("capture", "service cut", "not analysed"))
    figures = {
        "seconds": report.seconds,
        "machine": machine_name(),
        "cores": usable_cores(),
        "fps_in": report.frames_in / report.seconds,
        "fps_analysed": report.fps,
        "frames_in": report.frames_in,
        "frames_processed": report.frames_processed,
        "in_minus_processed": report.frames_dropped,
        "drops_counted": counted,
        "dropped": report.dropped,
        "overlays": len(probe.ages_ms),
        "withheld": probe.withheld,
        "age_ms_p50": float(np.percentile(ages, 50)),
        "age_ms_p99": float(np.percentile(ages, 99)),
        "rss_mib": memory[-1][1],
        "rss_slope_mib_per_10_min": slope,
        "safe_states": report.safe_states,
        "service": report.service,
        "reconnects": report.reconnects,
        "latency_ms": asdict(report)["latency_ms"],
    }
    two_frames_ms = 2000 / args.fps
    wanted = {
        "age_ms_p99": (f"at most two frames, {two_frames_ms:.0f}", figures["age_ms_p99"] <= two_frames_ms),
        "rss_slope_mib_per_10_min": ("at most 1", slope <= 1),
        "drops_counted": ("in_minus_processed", counted == report.frames_dropped),
    }
    if args.fps <= KEEPS_UP_FPS:
        share = report.dropped.get("capture", 0) / max(report.frames_in, 1)
        wanted["fps_analysed"] = ("99 % of fps_in", report.fps >= 0.99 * float(str(figures["fps_in"])))
        wanted["dropped"] = ("by inference at most 1 %", share <= 0.01)
    title = f"soak: {args.width}x{args.height} RTSP at {args.fps} fps, {report.backend} {report.precision}"
    table = Table("figure", "value", "wanted", title=title)
    for name, value in figures.items():
        if name != "latency_ms":
            text, met = wanted.get(name, ("", True))
            verdict = f"{text}: {'met' if met else 'NOT met'}" if text else ""
            table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value), verdict)
    terminal().print(table)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if all(met for _, met in wanted.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
