"""One configuration in a process of its own, so that memory, first frame and threads are its own; told by its parent
when to run.

Protocol, JSON lines: on its command line a specification; on stdout first `Ready`, then a `Slice` for each `Order` on
stdin. It ends with its input. Peers in `benchmarks/` speak it as well.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from edge.bench.trace import DRAWN, Trace
from edge.config import RefineMode
from edge.errors import EchoEdgeError
from edge.machine import read_text
from edge.nets.model import QualityScorer, Segmenter, open_model, open_scorer, open_segmenter
from edge.refine.refiner import SAMPLES
from edge.screen.tracker import LOCATE_FRAMES
from edge.sources import Live, Source, open_source
from edge.threads.realtime import Realtime, at_realtime


class Spec(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker measures. `kind` is "pipeline", "net" or "yardstick"; `started_ns` when its process was asked for.

    `fps` paces a recording like a live signal (0: as fast as it goes). `refine` is the mode of `echoedge run --refine`,
    `fifo_priority` that of its `--fifo-priority`.
    """

    kind: str
    name: str = ""
    source: str = ""
    model: str = ""
    quality: str = ""
    precision: str = "auto"
    backend: str = "auto"
    threads: int = 0
    sinks: tuple[str, ...] = ()
    fps: float = 0.0
    refine: RefineMode = "off"
    refine_model: str = ""
    refine_samples: int = SAMPLES
    fifo_priority: int = 0
    started_ns: int = 0


class Order(msgspec.Struct, frozen=True):
    """Run for `warm_s` without measuring, then for `seconds`; a paced pipeline at `fps` where it is given."""

    seconds: float
    warm_s: float
    fps: float = 0.0


class Ready(msgspec.Struct, frozen=True):
    """What was loaded, how long it took, and when the first result was there; `error` says why it cannot run."""

    facts: dict[str, str] = {}
    load_ms: float | None = None
    first_frame_ms: float | None = None
    error: str = ""


class Slice(msgspec.Struct, frozen=True):
    """One turn: durations in ms per stage, intervals between results, frames dropped, CPU seconds, peak size so far."""

    stages_ms: dict[str, list[float]]
    headline: str
    intervals_ms: list[float]
    seconds: float
    dropped: dict[str, int]
    cpu_s: float
    peak_mib: float


IN_FLIGHT = 3
"""Frames of a live source that may be on their way at either end of a turn and are not lost."""
Measure = Callable[[Order], Slice]


def serve(ready: Ready, measure: Measure, out: BinaryIO, orders: BinaryIO) -> None:
    """Answer orders until the input ends."""
    out.write(msgspec.json.encode(ready) + b"\n")
    out.flush()
    for line in orders:
        out.write(msgspec.json.encode(measure(msgspec.json.decode(line, type=Order))) + b"\n")
        out.flush()


def timed_calls(prepare: Callable[[], object], call: Callable[[], object], order: Order, stage: str) -> Slice:
    """Call for the ordered time; `prepare` runs before each call and is timed as "preprocess"."""
    prepared: list[float] = []
    called: list[float] = []
    ends: list[int] = []
    warm_until = time.monotonic() + order.warm_s
    started, cpu = time.monotonic(), time.process_time()
    end = warm_until + order.seconds
    while (now := time.monotonic()) < end:
        if now < warm_until:
            prepare(), call()
            started, cpu = time.monotonic(), time.process_time()
            continue
        t0 = time.perf_counter_ns()
        prepare()
        t1 = time.perf_counter_ns()
        call()
        t2 = time.perf_counter_ns()
        prepared.append(round((t1 - t0) / 1e6, 4))
        called.append(round((t2 - t1) / 1e6, 4))
        ends.append(t2)
    seconds, used = time.monotonic() - started, time.process_time() - cpu
    intervals = (np.diff(ends) / 1e6).round(4).tolist()
    return Slice({"preprocess": prepared, stage: called}, stage, intervals, seconds, {}, used, peak_mib())


def peak_mib() -> float:
    """Largest resident size of this process. Linux's getrusage starts at the parent's size, so its status file goes
    first.
    """
    found = re.search(r"^VmHWM:\s*(\d+) kB", read_text(Path("/proc/self/status")), re.MULTILINE)
    if found:
        return round(int(found[1]) / 2**10, 1)
    import resource  # not on Windows

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), 1)


def _yardstick(spec: Spec, stack: ExitStack) -> tuple[Ready, Measure]:
    rng = np.random.default_rng(0)
    # Of a network's duration, so that the scheduler disturbs both alike.
    a, b = rng.random((768, 768), np.float32), rng.random((768, 768), np.float32)
    out = np.empty_like(a)
    return Ready(), lambda order: timed_calls(lambda: None, lambda: np.matmul(a, b, out=out), order, "multiply")


def _net(spec: Spec, stack: ExitStack) -> tuple[Ready, Measure]:
    from edge.screen.sector import find_sector

    started = time.monotonic_ns()
    net = open_model(spec.model, spec.precision, spec.backend, spec.threads or None)
    stack.enter_context(net)
    load_ms = (time.monotonic_ns() - started) / 1e6
    with open_source(spec.source) as source:
        frames = [np.array(frame.image) for frame in islice(source, 16)]
    box = find_sector(frames).box
    _settle(net)
    net.prepare(frames[0], box)
    net.infer()
    first_ms = (time.monotonic_ns() - spec.started_ns) / 1e6
    turn = cycle(frames)
    facts = {"backend": f"{net.backend.name} {net.backend.version}", "precision": net.manifest.precision}
    return (
        Ready(facts, round(load_ms, 1), round(first_ms, 1)),
        lambda order: timed_calls(lambda: net.prepare(next(turn), box), net.infer, order, "infer"),
    )


def _settle(net: Segmenter | QualityScorer) -> None:
    """Wait for an engine that is being built, so that nothing takes over in the middle of a measurement."""
    if net.building is not None:
        net.building.wait()


def _pipeline(spec: Spec, stack: ExitStack) -> tuple[Ready, Measure]:
    from edge.loop import LoopOptions, run_loop
    from edge.report import problems_of
    from edge.sinks import open_sink
    from edge.stages.refining import opened_refine

    how = (spec.precision, spec.backend, spec.threads or None)
    started = time.monotonic_ns()
    realtime = Realtime(fifo_priority=spec.fifo_priority)
    with at_realtime("inference", realtime):
        segmenter = stack.enter_context(open_segmenter(spec.model, *how))
        scorer = stack.enter_context(open_scorer(spec.quality, *how))
    load_ms = (time.monotonic_ns() - started) / 1e6
    _settle(segmenter)
    _settle(scorer)
    # Without a deadline service is never cut: every frame goes through both networks, and what is late shows as late.
    full_service = LoopOptions(
        view="A4C",
        insists=True,  # every frame takes the whole way, whatever it shows
        realtime=realtime,
        deadline_ms=1e9,
        refine=stack.enter_context(opened_refine(spec.refine, spec.refine_model, spec.refine_samples)),
    )

    def run(order: Order) -> tuple[Trace, bool, float]:
        trace, cpu = Trace(), time.process_time()
        with ExitStack() as inner:
            source = inner.enter_context(_opened(spec, order))
            sinks = [inner.enter_context(open_sink(uri, source.fps)) for uri in spec.sinks]
            if isinstance(source, Live):
                # A live picture is analysed only once its sector has been looked for.
                until = order.warm_s + order.seconds + LOCATE_FRAMES / source.fps
                timer = threading.Timer(until, source.stop)
                timer.start()
                inner.callback(timer.cancel)
            report = run_loop(source, segmenter, scorer, sinks, full_service, trace)
        if report.frames_processed and (problems := problems_of(report)):
            raise EchoEdgeError(problems[0])
        return trace, isinstance(source, Live), time.process_time() - cpu

    first = run(Order(0.2, 0.0, spec.fps))[0].first_ns(DRAWN)
    facts = {
        f"{name} backend": f"{net.backend.name} {net.backend.version} {net.manifest.precision}"
        for name, net in (("segmentation", segmenter), ("quality", scorer))
    }
    ready = Ready(facts, round(load_ms, 1), round((first - spec.started_ns) / 1e6, 1) if first else None)

    return ready, lambda order: _slice_of(spec, order, *run(order))


def _slice_of(spec: Spec, order: Order, trace: Trace, live: bool, cpu_s: float) -> Slice:
    """What a run of the pipeline came to after its warm-up."""
    first = trace.first_ns("segment")
    if first is None:
        raise EchoEdgeError(f"{spec.source} gave nothing to analyse in {order.seconds + order.warm_s:.0f} s")
    since = first + round(order.warm_s * 1e9)
    drawn = trace.ends_ns(DRAWN, since)
    ends = np.array(drawn, np.float64) / 1e6
    span_s = float(np.ptp(ends)) / 1e3 if len(ends) > 1 else 0.0
    share = span_s / max(span_s + order.warm_s, 1e-9)
    dropped = {}
    if live and drawn:
        captured = sum(end <= drawn[-1] for end in trace.ends_ns("decode", since))
        dropped = {"late": late} if (late := captured - len(drawn) - IN_FLIGHT) > 0 else {}
    stages = trace.durations_ms(since)
    return Slice(stages, DRAWN, np.diff(ends).round(4).tolist(), span_s, dropped, cpu_s * share, peak_mib())


def _opened(spec: Spec, order: Order) -> Source:
    """The source for one turn: a recording repeats until its time is over, at its own pace or at a given one."""
    from edge.bench.clip import AtRate, Timed
    from edge.sources.paced import Paced, Repeated

    source = open_source(spec.source)
    if isinstance(source, Live):
        return source
    seconds, fps = order.warm_s + order.seconds, order.fps or spec.fps
    repeated = Repeated(source)
    if fps:
        seconds += LOCATE_FRAMES / fps
    return Paced(AtRate(repeated, seconds, fps)) if fps else Timed(repeated, seconds)


KINDS: dict[str, Callable[[Spec, ExitStack], tuple[Ready, Measure]]] = {
    "yardstick": _yardstick,
    "net": _net,
    "pipeline": _pipeline,
}


def main() -> None:
    # What libraries print to stdout must not come between the answers.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    spec = msgspec.json.decode(sys.argv[1], type=Spec)
    with ExitStack() as stack:
        try:
            ready, measure = KINDS[spec.kind](spec, stack)
        except EchoEdgeError as error:
            out.write(msgspec.json.encode(Ready(error=str(error))) + b"\n")
            out.flush()
            return
        serve(ready, measure, out, sys.stdin.buffer)


if __name__ == "__main__":
    main()
