"""When a measurement counts. MLPerf's rules ask for a minimum duration; these add a machine that was left alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.bench.result import Conditions, MachineFacts, Reading, Run

MIN_SECONDS = 60.0
MIN_FRAMES = 500
"""p99 then has five frames beyond it."""
OTHER_LOAD_SHARE = 0.03
STEAL_PERCENT = 1.0
CLOCK_SPREAD = 0.1
DRIFT = 0.1


def problems(machine: MachineFacts, conditions: Conditions, runs: Sequence[Run]) -> list[str]:
    """Why a measurement must not be quoted, one sentence each with what to do; empty where it may."""
    found = []
    share = conditions.other_load_cores / machine.cores
    if share > OTHER_LOAD_SHARE:
        found.append(
            f"other processes used {conditions.other_load_cores:.2f} of {machine.cores} cores "
            f"(allowed {OTHER_LOAD_SHARE * machine.cores:.2f}): stop them and measure again"
        )
    if conditions.steal_percent > STEAL_PERCENT:
        found.append(
            f"the hypervisor gave {conditions.steal_percent:.1f} % of the time to other machines "
            f"(allowed {STEAL_PERCENT:g} %): measure when the host is quiet"
        )
    if conditions.swapped_pages:
        found.append(f"{conditions.swapped_pages} pages were swapped: free memory")
    if conditions.throttled.value:
        found.append(f"the clock was cut for heat or power {conditions.throttled.value:.0f} times: cool the machine")
    if machine.governor.value not in (None, "performance"):
        found.append(
            f"the CPU governor is {machine.governor.value}: sudo cpupower frequency-set -g performance "
            "(a Jetson: sudo jetson_clocks)"
        )
    if machine.on_battery.value == "yes":
        found.append("the machine runs on its battery: plug it in")
    clock = conditions.clock_mhz
    if clock is not None and clock[0] < (1 - CLOCK_SPREAD) * clock[1]:
        found.append(
            f"the fastest core's clock went from {clock[0]:.0f} to {clock[1]:.0f} MHz: fix it (sudo jetson_clocks)"
        )
    for run in runs:
        if run.kind == "yardstick":
            continue
        if run.seconds < MIN_SECONDS:
            found.append(
                f"{run.name} was measured for {run.seconds:.0f} s (at least {MIN_SECONDS:.0f}): raise --seconds"
            )
        if run.frames < MIN_FRAMES:
            found.append(f"{run.name} saw {run.frames} frames (at least {MIN_FRAMES}): raise --seconds")
        half = len(run.samples_ms) // 2
        if half:
            first, second = np.median(run.samples_ms[:half]), np.median(run.samples_ms[half:])
            if abs(second - first) > DRIFT * first:
                found.append(
                    f"{run.name} drifted from {first:.2f} to {second:.2f} ms between its halves "
                    f"(allowed {100 * DRIFT:.0f} %): something changed meanwhile"
                )
    return found


def notes(machine: MachineFacts, conditions: Conditions) -> list[str]:
    """Facts that could not be read, with the reason: they neither prove nor disprove the measurement."""
    readings: dict[str, Reading] = {
        "governor": machine.governor,
        "power mode": machine.power_mode,
        "throttling": conditions.throttled,
        "power": conditions.watts,
        "GPU load": conditions.gpu_load_percent,
    }
    found = [f"{name} not readable: {r.why_not}" for name, r in readings.items() if r.value is None]
    if not conditions.temperature_c:
        found.append("temperature not readable: the system lists no thermal zones")
    return found
