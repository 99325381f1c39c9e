"""The two gates of an artefact: no worse than its reference at the task, and faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from compile.score import LOWER_IS_BETTER, Scores, Trial
from edge.nets.manifest import AccuracyGate, Change, SpeedGate

TOLERANCES = {"LV Dice": 0.003, "LV HD95 mm": 0.2, "Spearman": 0.01}
"""How much worse a metric may get in any view."""
Times = tuple[float, float]
"""(p50, p90) in ms."""


def accuracy_gate(
    reference_sha256: str, reference: Scores, found: Scores, trial: Trial, backend: str, tolerances: Mapping[str, float]
) -> AccuracyGate:
    """Compare each metric of each view.

    A distance that is NaN, since no frame of the view had a contour, is left out: manifests hold no NaN, and Dice is 0
    there.
    """
    changes = tuple(
        Change(
            view,
            metric,
            round(reference[view, metric], 5),
            round(value, 5),
            tolerances[metric],
            metric not in LOWER_IS_BETTER,
        )
        for (view, metric), value in found.items()
        if metric not in LOWER_IS_BETTER or np.isfinite([value, reference[view, metric]]).all()
    )
    return AccuracyGate(
        reference_sha256=reference_sha256, backend=backend, data=trial.data, frames=len(trial.samples), changes=changes
    )


def race(runners: Mapping[str, Callable[[], object]], rounds: int, seed: int = 0) -> dict[str, Times]:
    """(p50, p90) in ms of each runner, each run once a round in random order: all meet the same load and clock."""
    rng = np.random.default_rng(seed)
    names = list(runners)
    times: dict[str, list[float]] = {name: [] for name in names}
    for runner in runners.values():
        for _ in range(3):
            runner()
    for _ in range(rounds):
        for index in rng.permutation(len(names)):
            started = time.perf_counter_ns()
            runners[names[index]]()
            times[names[index]].append((time.perf_counter_ns() - started) / 1e6)
    return {name: (float(np.percentile(t, 50)), float(np.percentile(t, 90))) for name, t in times.items()}


def speed_gate(
    found: Times,
    reference: Times,
    reference_sha256: str,
    backend: str,
    machine: str,
    rounds: int,
) -> SpeedGate:
    """Write a race down."""
    return SpeedGate(
        reference_sha256=reference_sha256,
        backend=backend,
        machine=machine,
        runs=rounds,
        p50_ms=round(found[0], 3),
        p90_ms=round(found[1], 3),
        reference_p50_ms=round(reference[0], 3),
        reference_p90_ms=round(reference[1], 3),
    )
