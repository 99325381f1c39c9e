"""Results with known figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.bench.interleave import YARDSTICK
from edge.bench.result import SCHEMA, Conditions, MachineFacts, Reading, Result, Run
from edge.bench.stats import percentiles

UNREADABLE = Reading(None, "test", "not there")


def run(name: str, samples_ms: Sequence[float], seconds: float = 100.0, kind: str = "pipeline") -> Run:
    kind = YARDSTICK if name == YARDSTICK else kind
    latency = percentiles(samples_ms)
    return Run(
        name=name,
        kind=kind,
        config={"source": "/home/someone/patient.mp4"},
        frames=len(samples_ms),
        seconds=seconds,
        fps=len(samples_ms) / seconds,
        latency_ms=latency,
        stages_ms={"decode": latency, "segment": latency},
        jitter_ms=0.5,
        dropped={"capture": 1},
        first_frame_ms=900.0,
        load_ms=700.0,
        peak_memory_mib=300.0,
        cpu_cores=1.5,
        samples_ms=list(samples_ms),
    )


def machine(**changes: object) -> MachineFacts:
    facts: dict[str, object] = {
        "name": "test machine",
        "cores": 2,
        "memory_gib": 8.0,
        "system": "Linux",
        "python": "3.12",
        "packages": {"numpy": "2"},
        "board": "",
        "jetson_linux": "",
        "power_mode": UNREADABLE,
        "governor": Reading("performance", "cpufreq"),
        "max_clock_mhz": UNREADABLE,
        "on_battery": Reading("no", "power_supply"),
        "gpu": UNREADABLE,
    }
    return MachineFacts(**{**facts, **changes})  # type: ignore[arg-type]


def conditions(**changes: object) -> Conditions:
    facts: dict[str, object] = {
        "seconds": 100.0,
        "other_load_cores": 0.01,
        "other_load_peak_cores": 0.1,
        "own_load_cores": 1.5,
        "steal_percent": 0.0,
        "swapped_pages": 0,
        "temperature_c": {"cpu": (50.0, 55.0)},
        "clock_mhz": (3000.0, 3000.0),
        "throttled": Reading(0.0, "kernel"),
        "watts": Reading(10.0, "tegrastats"),
        "gpu_load_percent": UNREADABLE,
    }
    return Conditions(**{**facts, **changes})  # type: ignore[arg-type]


def result(series: Mapping[str, Sequence[float]], invalid: Sequence[str] = ()) -> Result:
    runs = [run(name, samples) for name, samples in series.items()]
    first = runs[0]
    return Result(
        schema=SCHEMA,
        kind="pipeline",
        valid=not invalid,
        invalid_because=list(invalid),
        notes=[],
        fps=first.fps,
        latency_ms=first.latency_ms,
        jitter_ms=first.jitter_ms,
        frames=first.frames,
        dropped=1,
        first_frame_ms=900.0,
        peak_memory_mib=300.0,
        watts=10.0,
        fps_per_watt=first.fps / 10,
        runs=runs,
        machine=machine(),
        conditions=conditions(),
        version="0",
        command="echoedge bench /home/someone/patient.mp4",
        started="2026-01-01",
    )
