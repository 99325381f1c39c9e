"""Configurations measured in turn: short slices in random order, so that a busy moment hits all of them alike."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import msgspec
import numpy as np

from edge.bench.monitor import Monitor
from edge.bench.result import Run
from edge.bench.stats import jitter_ms, percentiles, thinned
from edge.bench.worker import Order, Ready, Slice, Spec
from edge.errors import BackendError

T = TypeVar("T")
YARDSTICK = "yardstick"


class Worker:
    """A measuring process (see edge/bench/worker.py) and what it has answered so far."""

    def __init__(self, name: str, kind: str, command: Sequence[str], config: dict[str, Any]) -> None:
        self.name, self.kind, self.config = name, kind, config
        self.slices: list[Slice] = []
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = Ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self) -> None:
        """Until it has loaded. Raises BackendError where it cannot run."""
        self.ready = self._answer(Ready)
        if self.ready.error:
            raise BackendError(f"{self.name}: {self.ready.error}")

    def run(self, order: Order) -> Slice:
        """One turn; the answer is not kept."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        return self._answer(Slice)

    def _answer(self, kind: type[T]) -> T:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BackendError(
                f"{self.name}: its process ended with exit code {self._process.wait()}; see the lines above"
            )
        return msgspec.json.decode(line, type=kind)

    @property
    def measured_s(self) -> float:
        return sum(piece.seconds for piece in self.slices)

    def result(self) -> Run:
        """Everything measured as one run. Raises BackendError where it gave no result."""
        stages: dict[str, list[float]] = defaultdict(list)
        for piece in self.slices:
            for stage, values in piece.stages_ms.items():
                stages[stage] += values
        headline = stages[self.slices[0].headline] if self.slices else []
        if not headline:
            raise BackendError(f"{self.name} gave no result in {self.measured_s:.1f} s; raise --seconds")
        intervals = [interval for piece in self.slices for interval in piece.intervals_ms]
        dropped = sum((Counter(piece.dropped) for piece in self.slices), Counter())
        return Run(
            name=self.name,
            kind=self.kind,
            config=self.config,
            frames=len(headline),
            seconds=round(self.measured_s, 2),
            fps=round(len(headline) / self.measured_s, 3),
            latency_ms=percentiles(headline),
            stages_ms={stage: percentiles(values) for stage, values in stages.items() if values},
            jitter_ms=jitter_ms(intervals),
            dropped=dict(dropped),
            first_frame_ms=self.ready.first_frame_ms,
            load_ms=self.ready.load_ms,
            peak_memory_mib=max(piece.peak_mib for piece in self.slices),
            cpu_cores=round(sum(piece.cpu_s for piece in self.slices) / self.measured_s, 3),
            samples_ms=thinned(headline),
            facts=self.ready.facts,
        )

    def close(self) -> None:
        """Let it end; kill it where it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _quiet(_name: str, _share: float) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Plan:
    """How long and in which pieces: each configuration for `seconds` in slices of `slice_s`, `warm_s` before each
    unmeasured.
    """

    seconds: float = 60.0
    slice_s: float = 5.0
    warm_s: float = 1.0
    seed: int = 0
    progress: Callable[[str, float], None] = field(default=_quiet)


def worker_of(spec: Spec) -> Worker:
    """Start the process of one specification."""
    spec = msgspec.structs.replace(spec, started_ns=time.monotonic_ns())
    command = [sys.executable, "-m", "edge.bench.worker", msgspec.json.encode(spec).decode()]
    config = {k: v for k, v in msgspec.structs.asdict(spec).items() if k not in ("started_ns", "name", "kind")}
    return Worker(spec.name, spec.kind, command, config)


def measure(builders: Sequence[Callable[[], Worker]], plan: Plan, stack: ExitStack, monitor: Monitor) -> list[Worker]:
    """Start the workers one after the other, then let each run in turn until all have been measured for `plan.seconds`.

    A yardstick of a tenth of the time is added. The workers stay open on `stack`, and with them what the monitor
    counts.
    """
    workers = []
    yardstick: Callable[[], Worker] = partial(worker_of, Spec(YARDSTICK, YARDSTICK))
    for build in (*builders, yardstick):
        worker = stack.enter_context(build())
        monitor.watch(worker.pid)
        plan.progress(f"{worker.name}: loading", 0.0)
        worker.wait_ready()
        workers.append(worker)
    rng = np.random.default_rng(plan.seed)
    goals = {worker.name: plan.seconds * (0.1 if worker.kind == YARDSTICK else 1.0) for worker in workers}
    while unfinished := [w for w in workers if w.measured_s < goals[w.name]]:
        for index in rng.permutation(len(unfinished)):
            worker = unfinished[index]
            done = sum(min(w.measured_s, goals[w.name]) for w in workers) / sum(goals.values())
            plan.progress(worker.name, done)
            brief = worker.kind == YARDSTICK
            wanted = min(plan.slice_s, max(0.5 * plan.slice_s, goals[worker.name] - worker.measured_s))
            piece = worker.run(Order(0.1 * plan.slice_s if brief else wanted, 0.1 if brief else plan.warm_s))
            worker.slices.append(piece)
            if not any(piece.intervals_ms for piece in worker.slices) and len(worker.slices) > 3:
                raise BackendError(f"{worker.name} did not give two results in turns of {wanted:.1f} s; raise --slice")
    return workers
