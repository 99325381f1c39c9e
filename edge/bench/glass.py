"""`echoedge bench glass`: from light on the scanner's screen to light on ours, by a time-code in the picture."""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from types import TracebackType
from typing import TypeVar

import msgspec
import numpy as np

from edge.bench.clip import default_clip
from edge.bench.loopback import Seen, Sent
from edge.bench.machine import machine_facts
from edge.bench.monitor import Monitor
from edge.bench.result import Run
from edge.bench.session import add_options, conclude, judged
from edge.bench.stats import jitter_ms, percentiles, thinned
from edge.bench.timecode import age_ms, read_code
from edge.bench.trace import DRAWN, Trace
from edge.errors import EchoEdgeError, SourceError
from edge.loop import LoopOptions, run_loop
from edge.nets.model import open_scorer, open_segmenter
from edge.report import problems_of
from edge.screen.tracker import LOCATE_FRAMES
from edge.sinks import Shown, open_sink
from edge.sources import Live, Source, open_source
from edge.stages.safety import Limits

T = TypeVar("T")
OPEN_S = 20.0
ON_THE_WAY = ("preprocess", "segment", "quality", "measure", "overlay")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge bench glass",
        description="Glass to glass: a scanner process shows a clip with a time-code, the pipeline captures and shows "
        "it, an eye process reads the code from what is shown. By default both ways are H.264 over UDP on this "
        "machine. With a cable from a screen to a grabber: --send 'window://?full' --source v4l2:///dev/video0.",
        epilog="example: echoedge bench glass --fps 30 --seconds 60 --out glass",
    )
    p.add_argument("--fps", type=float, default=30, help="rate of the scanner (default 30)")
    p.add_argument("--clip", default="", help="what the scanner shows (default: a synthetic 1280x720 screen)")
    p.add_argument(
        "--send", default="", metavar="URI", help="where the scanner shows it: udp://, rtsp://, window://?full"
    )
    p.add_argument("--source", default="", metavar="URI", help="where the pipeline captures it")
    p.add_argument("--show", default="", metavar="URI", help="where the pipeline shows its picture")
    p.add_argument(
        "--eye", default="", metavar="URI", help="where that is captured; none: ends when the picture is handed over"
    )
    p.add_argument("--model", default="pspnet-mk", help="segmentation model folder")
    p.add_argument("--quality", default="quality", help="quality model folder")
    add_options(p)
    return p


class Probe:
    """A sink that reads the code of each captured frame: its age at capture and at hand-over to the display, in ms."""

    name = "probe"

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, float, float, float]] = []
        self.unread = self.withheld = 0

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def write(self, shown: Shown) -> None:
        now = time.monotonic_ns()
        if shown.frame is None:
            return
        if shown.banner:
            self.withheld += 1
            return
        code = read_code(shown.frame.image)
        if code is None:
            self.unread += 1
            return
        captured = age_ms(code, shown.frame.captured_ns)
        self.rows.append((now, code.number, captured, age_ms(code, now), shown.frame.decode_ms))


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    if bool(args.send) != bool(args.source):
        raise EchoEdgeError("--send and --source belong together: the one shows, the other captures")
    if args.eye and not args.show:
        raise EchoEdgeError("--eye captures what --show shows: give --show as well")
    if not args.send:
        args.send = args.source = f"udp://127.0.0.1:{_free_port()}"
        if not args.show:
            args.show = args.eye = f"udp://127.0.0.1:{_free_port()}"
    started = datetime.now(timezone.utc)
    machine = machine_facts()
    with Monitor() as monitor, ExitStack() as stack:
        run, notes = measure_glass(args, monitor, stack)
    result = judged([run], "glass", machine, monitor, ["bench", "glass", *argv], started, None)
    return conclude(msgspec.structs.replace(result, notes=[*notes, *result.notes]), args)


def measure_glass(args: argparse.Namespace, monitor: Monitor, stack: ExitStack) -> tuple[Run, list[str]]:
    """Run scanner, pipeline and eye; the run and what is to be said of it."""
    how = ("auto", "auto", args.threads or None)
    segmenter = stack.enter_context(open_segmenter(args.model, *how))
    scorer = stack.enter_context(open_scorer(args.quality, *how))
    scanner = End("scanner", args.send, args.clip or str(default_clip()), str(args.fps))
    monitor.watch(scanner.pid)
    stack.callback(scanner.kill)
    opened = source = stack.enter_context(_opened(args.source))
    if not isinstance(source, Live):
        raise SourceError(f"{args.source} is a recording; glass to glass needs a live source")
    stop = source.stop
    eye = None
    if args.eye:
        eye = End("eye", f"{args.eye}{'&' if '?' in args.eye else '?'}wait=1")
        monitor.watch(eye.pid)
        stack.callback(eye.kill)
    probe, trace = Probe(), Trace()
    sinks = [probe, *([stack.enter_context(open_sink(args.show, args.fps))] if args.show else [])]
    args.warm = max(args.warm, 2 * LOCATE_FRAMES / args.fps)  # until the sector is found nothing is analysed
    timer = threading.Timer(args.warm + args.seconds, stop)
    timer.start()
    stack.callback(timer.cancel)
    # A result may be as old as the machine makes it: this measures lateness, it does not hide it.
    # Every frame takes the whole way, whatever it shows.
    limits = Limits(signal_ms=5e3, freeze_ms=5e3, stuck_ms=5e3, age_ms=1e4)
    options = LoopOptions(view="A4C", insists=True, deadline_ms=1e9, limits=limits)
    report = run_loop(opened, segmenter, scorer, sinks, options, trace)
    if report.frames_processed and (problems := problems_of(report)):
        raise EchoEdgeError(problems[0])
    sent = scanner.finish(Sent)
    seen = eye.finish(Seen) if eye else None
    return _summed(args, probe, trace, sent, seen, report.dropped)


def _summed(
    args: argparse.Namespace, probe: Probe, trace: Trace, sent: Sent, seen: Seen | None, dropped: dict[str, int]
) -> tuple[Run, list[str]]:
    first = trace.first_ns(DRAWN)
    since = (first or 0) + round(args.warm * 1e9)
    rows = [row for row in probe.rows if row[0] >= since]
    if len(rows) < 2:
        raise SourceError(
            f"the code was read in {len(probe.rows)} captured frames and not in {probe.unread}: does the grabber "
            "capture the scanner's screen, upright and at least at a third of its size?"
        )
    durations = trace.durations_ms(since)
    measured = {number for _, number, *_ in rows}
    stages = {"send": sent.send_ms[int(args.warm * args.fps) :] or sent.send_ms}
    stages["decode"] = [row[4] for row in rows]
    stages |= {stage: durations[stage] for stage in ON_THE_WAY if durations.get(stage)}
    ages, last = [row[3] for row in rows], "hand-over to the display"
    if seen is not None:
        kept = [(age, ms) for number, age, ms in zip(seen.numbers, seen.ages_ms, seen.decode_ms) if number in measured]
        if len(kept) < 2:
            raise SourceError(
                f"the eye read {len(seen.numbers)} codes, none of them measured; {seen.unread} pictures had none"
            )
        shown = next((name for name in durations if name.startswith("write ") and name != f"write {probe.name}"), None)
        stages |= {"show": durations[shown]} if shown else {}
        stages["decode of the eye"] = [ms for _, ms in kept]
        ages, last = [age for age, _ in kept], "the eye"
    latency, frame_ms = percentiles(ages), 1e3 / args.fps
    table = {stage: percentiles(values) for stage, values in stages.items() if values}
    total = sum(stage.p50 for stage in table.values())
    table["scanner to capture"] = percentiles([row[2] for row in rows])
    table[DRAWN] = percentiles(durations[DRAWN])
    rest = latency.p50 - total
    agrees = "within" if abs(rest) <= frame_ms else "NOT within"
    notes = [
        f"glass to glass is {rest:.1f} ms more than the sum of its stages ({total:.1f} ms, medians): {agrees} "
        f"one frame time ({frame_ms:.1f} ms); it ends at {last}",
        f"of {len(probe.rows) + probe.unread + probe.withheld} captured frames {probe.unread} had no readable code and "
        f"{probe.withheld} were shown with a banner instead of a result",
    ]
    span_s = (rows[-1][0] - rows[0][0]) / 1e9
    run = Run(
        name="glass to glass",
        kind="glass",
        config={"fps": args.fps, "send": args.send, "show": args.show},
        frames=len(ages),
        seconds=round(span_s, 2),
        fps=round(len(ages) / span_s, 3),
        latency_ms=latency,
        stages_ms=table,
        jitter_ms=jitter_ms(np.diff([row[0] for row in rows]) / 1e6),
        dropped=dropped,
        first_frame_ms=None,
        load_ms=None,
        peak_memory_mib=None,
        cpu_cores=0.0,
        samples_ms=thinned(ages),
    )
    return run, notes


class End:
    """A process of edge/bench/loopback.py."""

    def __init__(self, *arguments: str) -> None:
        self._role = arguments[0]
        command = [sys.executable, "-m", "edge.bench.loopback", *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def finish(self, kind: type[T]) -> T:
        """End it and take what it found. Raises EchoEdgeError where it failed."""
        try:
            out, _ = self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise EchoEdgeError(f"the {self._role} does not stop") from None
        if self._process.returncode:
            raise EchoEdgeError(
                f"the {self._role} ended with exit code {self._process.returncode}; see the lines above"
            )
        return msgspec.json.decode(out.splitlines()[-1], type=kind)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _opened(uri: str) -> Source:
    """The source, tried until the scanner has begun to send."""
    end = time.monotonic() + OPEN_S
    while True:
        try:
            return open_source(uri)
        except SourceError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
