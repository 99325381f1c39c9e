"""What the machine does while something is measured: load of others, clocks, heat, throttling, power."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path
from types import TracebackType

from edge.bench.machine import clocks_mhz
from edge.bench.power import Rapl, open_stream
from edge.bench.result import Conditions, Reading
from edge.machine import read_text

PERIOD_S = 1.0
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Monitor:
    """Samples once a second between enter and exit; `conditions` sums up.

    `watch` names processes whose load is the measurement's own: workers, senders. What other processes use counts as
    others' load, so a training run, an update or a browser shows.
    """

    def __init__(self, root: Path = Path("/"), period_s: float = PERIOD_S) -> None:
        self._root, self._period_s = root, period_s
        self._own: dict[int, int] = {}
        self._used: dict[int, int] = {}
        self._ended = threading.Event()
        self._others: list[float] = []
        self._clocks: list[float] = []
        self._heat: dict[str, list[float]] = {}

    def watch(self, pid: int) -> None:
        """Count a process (not its children) as part of the measurement."""
        self._own[pid] = self._ticks(pid)

    def __enter__(self) -> Monitor:
        self.watch(os.getpid())
        self._stream, self._rapl = open_stream(), Rapl(self._root)
        if self._stream is not None:
            self.watch(self._stream.pid)
        self._started = time.monotonic()
        self._first = self._last = self._cpu()
        self._first_own = self._last_own = self._own_ticks()
        self._last_at = self._started
        self._first_swap, self._first_throttle = self._swap(), self._throttle_counts()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()
        self._seconds = time.monotonic() - self._started
        if self._stream is not None:
            self._stream.stop()

    def conditions(self) -> Conditions:
        """After exit: everything that `validity` judges."""
        busy, steal = (b - a for a, b in zip(self._first, self._last))
        own = (self._last_own - self._first_own) / TICKS / self._seconds
        others = busy / TICKS / self._seconds - own
        stream, heat = self._stream, dict(self._heat)
        for line in stream.lines if stream else ():
            for zone, degrees in line.temperature_c.items():
                heat.setdefault(zone, []).append(degrees)
        watts = self._rapl.watts(self._seconds)
        gpu_load = Reading(None, "", "no tegrastats and no nvidia-smi")
        if stream is not None:
            gpu_load = stream.gpu_percent()
            board = stream.watts()
            if stream.name == "tegrastats" or watts.value is None:
                watts = board
            elif isinstance(watts.value, float) and isinstance(board.value, float):
                watts = Reading(round(watts.value + board.value, 2), "RAPL, CPU package + nvidia-smi, GPU")
        return Conditions(
            seconds=round(self._seconds, 1),
            other_load_cores=round(max(0.0, others), 3),
            other_load_peak_cores=round(max([0.0, *self._others]), 3),
            own_load_cores=round(own, 3),
            steal_percent=round(100 * steal / TICKS / self._seconds, 2),
            swapped_pages=self._swap() - self._first_swap,
            temperature_c={zone: (min(values), max(values)) for zone, values in heat.items()},
            clock_mhz=(min(self._clocks), max(self._clocks)) if self._clocks else None,
            throttled=self._throttled(),
            watts=watts,
            gpu_load_percent=gpu_load,
        )

    def _run(self) -> None:
        while not self._ended.wait(self._period_s):
            self._sample()

    def _sample(self) -> None:
        at, cpu, own = time.monotonic(), self._cpu(), self._own_ticks()
        seconds = at - self._last_at
        if seconds > 0.5 * self._period_s:  # ticks are too coarse for shorter spans
            busy = (cpu[0] - self._last[0] - own + self._last_own) / TICKS
            self._others.append(busy / seconds)
        self._last_at, self._last, self._last_own = at, cpu, own
        if clocks := clocks_mhz(self._root):
            self._clocks.append(max(clocks))
        for zone in (self._root / "sys/class/thermal").glob("thermal_zone*"):
            text = read_text(zone / "temp").strip()
            if text.lstrip("-").isdigit():
                self._heat.setdefault(read_text(zone / "type").strip() or zone.name, []).append(int(text) / 1e3)
        self._rapl.update()

    def _cpu(self) -> tuple[int, int]:
        """(busy, steal) ticks of all cores since boot: user, nice and system; interrupts are nobody's."""
        found = re.match(r"cpu +(.*)", read_text(self._root / "proc/stat"))
        ticks = [int(text) for text in found[1].split()] if found else [0] * 8
        return sum(ticks[:3]), ticks[7] if len(ticks) > 7 else 0

    def _own_ticks(self) -> int:
        """Ticks of the watched processes since each was first watched; what one had used at the last look stays when it
        ends.
        """
        for pid, first in list(self._own.items()):
            self._used[pid] = max(self._used.get(pid, 0), self._ticks(pid) - first)
        return sum(self._used.values())

    def _ticks(self, pid: int) -> int:
        # The name in brackets may hold spaces: fields are counted from its end.
        fields = read_text(self._root / f"proc/{pid}/stat").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12]) if len(fields) > 12 else 0

    def _swap(self) -> int:
        return sum(int(n) for n in re.findall(r"^pswp(?:in|out) (\d+)", read_text(self._root / "proc/vmstat"), re.M))

    def _throttle_counts(self) -> int | None:
        cpu = self._root / "sys/devices/system/cpu"
        paths = [*cpu.glob("cpu[0-9]*/thermal_throttle/*_throttle_count")]
        paths += (self._root / "sys/class/hwmon").glob("hwmon*/oc*_event_cnt")  # over-current events of a Jetson
        values = [read_text(path).strip() for path in paths]
        known = [int(value) for value in values if value.isdigit()]
        return sum(known) if known else None

    def _throttled(self) -> Reading:
        now = self._throttle_counts()
        if self._stream is not None and self._stream.throttled().value is not None:
            gpu = self._stream.throttled()
            assert isinstance(gpu.value, float)
            return Reading(gpu.value + (now or 0) - (self._first_throttle or 0), f"{gpu.source}, kernel's counters")
        if now is None or self._first_throttle is None:
            return Reading(None, "kernel's counters", "no thermal_throttle and no over-current counters")
        return Reading(float(now - self._first_throttle), "kernel's counters")
