"""FP32 ONNX to the artefacts of a target, each with its gates: what `echoedge compile` runs."""

from __future__ import annotations

import functools
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from calib.choose import CalibrationSet
from calib.drift import grey_levels_of
from calib.feed import Feed, Inputs, spread
from compile.apart import apart
from compile.gates import TOLERANCES, accuracy_gate, race, speed_gate
from compile.precision import Quantizer, fp16_from_onnx
from compile.ranges import METHODS
from compile.score import Scores, Trial, score_file
from compile.sensitivity import compare_methods, rank_layers
from edge.errors import BackendError, ModelError
from edge.machine import machine_name
from edge.nets.backends import BACKENDS
from edge.nets.manifest import AccuracyGate, Change, Gates, Manifest, find_manifests, sha256_of, write_manifest
from edge.nets.model import load_model

log = logging.getLogger(__name__)

PROBES = 16
"""Calibration frames on which methods and layers are compared."""
FIRST_FLOAT, MOST_FLOAT = 1, 16
"""Layers left in float after the first failure, doubled each time, and at most."""


@dataclass(frozen=True)
class Plan:
    """What to make and how strictly to judge it. `method` may be "auto"; `rounds` are runs of the race."""

    target: str
    precisions: tuple[str, ...]
    backend: str
    method: str = "auto"
    tolerances: Mapping[str, float] = field(default_factory=lambda: dict(TOLERANCES))
    rounds: int = 100
    threads: int | None = None
    ranks_layers: bool = False
    command: str = ""


@dataclass(frozen=True)
class Calibration:
    """What INT8 files are made from: the list of frames, the runs of the graph in `source` over them, one observation."""

    source: Path
    chosen: CalibrationSet
    feed: Feed

    @functools.cached_property
    def quantizer(self) -> Quantizer:
        return Quantizer(self.source, self.feed)

    @functools.cached_property
    def probes(self) -> list[Inputs]:
        """The runs on which methods and layers are compared."""
        return spread(self.feed, PROBES)


@dataclass(frozen=True)
class Outcome:
    """One artefact as judged. `latency_ms` is (p50, p90), None where nothing here runs it as its target will.

    `died` says how the engine failed on it, "" where it ran; there are no scores then.
    """

    manifest: Manifest
    path: Path
    scores: Scores
    latency_ms: tuple[float, float] | None = None
    methods: Mapping[str, float] = field(default_factory=dict)
    sensitivity: Mapping[str, float] = field(default_factory=dict)
    died: str = ""


def form_of(target: str) -> str:
    """Which Q/DQ form a target reads."""
    return "cpu" if target == "cpu" else "tensorrt"


def judging_backend(target: str, wanted: str) -> str:
    """The engine that scores artefacts: the CPU's own for `cpu`, ONNX Runtime for files that TensorRT will read.

    OpenVINO reads symmetric Q/DQ with other roundings, so it does not judge them.
    """
    if target != "cpu":
        return "onnxruntime"
    return next(iter(BACKENDS)) if wanted == "auto" else wanted


def run_plan(
    folder: Path,
    plan: Plan,
    trial: Trial,
    calibration: Calibration | None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Write the artefacts of a plan with their manifests into a model folder; the FP32 reference comes first.

    An artefact that fails a gate is written too, with its gate: it is refused when it is loaded. So is one on which the
    engine fails, hangs or ends its process. Raises ModelError without an FP32 file, BackendError where FP32 itself does
    not run.
    """
    reference, reference_path = reference_of(folder)
    if calibration is None and "int8" in plan.precisions:
        raise ModelError("INT8 needs a calibration set: give --data, or --calibration with a set's list file")
    say("scoring fp32")
    try:
        scores, _ = _score(reference, reference_path, plan, trial)
    except BackendError as error:
        raise BackendError(f"{error}; nothing can be compared with it, give another --backend") from error
    outcomes = [Outcome(reference, reference_path, scores)]
    for precision in plan.precisions:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            if precision == "fp16":
                outcome = _make_fp16(Path(scratch), folder, reference, plan, trial, scores, say)
            else:
                assert calibration is not None
                outcome = _make_int8(Path(scratch), folder, reference, plan, trial, scores, calibration, say)
            outcomes.append(_installed(outcome, folder))
    return _raced(outcomes, plan, trial, say) if plan.target == "cpu" else outcomes


def reference_of(folder: Path) -> tuple[Manifest, Path]:
    """The FP32 manifest of a folder."""
    found = next(((m, p) for m, p in find_manifests(folder) if m.precision == "fp32" and m.engine is None), None)
    if found is None:
        raise ModelError(f"{folder} has no fp32 file to compile; make it with `echoedge export`")
    return found


def winner(outcomes: Sequence[Outcome]) -> Outcome:
    """The narrowest artefact that failed no gate and, where its target is not this machine, needs no race to be chosen.

    INT8 for a GPU stays behind FP16 until it has been raced there.
    """
    for precision in ("int8", "fp16", "fp32"):
        for outcome in outcomes:
            manifest = outcome.manifest
            proven = manifest.gates.speed is not None or precision != "int8"
            if manifest.precision == precision and proven and not manifest.gates.failures():
                return outcome
    return outcomes[0]


def _make_fp16(
    scratch: Path,
    folder: Path,
    reference: Manifest,
    plan: Plan,
    trial: Trial,
    scores: Scores,
    say: Callable[[str], None],
) -> Outcome:
    def write(target: Path) -> None:
        fp16_from_onnx(folder / reference.file, target)

    return _judged(_written(scratch, "fp16", reference, plan, write, {}, None), plan, trial, scores, {}, {}, say)


def _make_int8(
    scratch: Path,
    folder: Path,
    reference: Manifest,
    plan: Plan,
    trial: Trial,
    scores: Scores,
    calibration: Calibration,
    say: Callable[[str], None],
) -> Outcome:
    source, form = folder / reference.file, form_of(plan.target)
    frames = len(calibration.chosen.frames)
    say(f"observing activations on {frames} frames")
    quantizer, probes = calibration.quantizer, calibration.probes

    def made(method: str, float_nodes: Sequence[str] = ()) -> tuple[Manifest, Path]:
        facts = {"calibration_frames": frames, "calibration": method, "float_nodes": list(float_nodes)}
        return _written(
            scratch,
            "int8" if form == "cpu" else "int8-tensorrt",
            reference,
            plan,
            lambda target: quantizer.write(target, form, method, float_nodes),
            facts,
            calibration.chosen,
        )

    say("comparing calibration methods")
    method = METHODS[0] if plan.method == "auto" else plan.method
    try:
        methods = compare_methods(quantizer, source, probes, form, plan.backend, METHODS)
    except BackendError as error:  # the methods' files have the same nodes: another one would fare no better
        return _dead(*made(method), plan, trial, error)
    if plan.method == "auto":
        method = min(methods, key=lambda name: methods[name])
    sensitivity: dict[str, float] = {}

    def rank() -> dict[str, float]:
        return rank_layers(
            quantizer,
            source,
            probes[::2],
            form,
            method,
            plan.backend,
            lambda done, total: say(f"ranking layers {done}/{total}"),
        )

    try:
        if plan.ranks_layers:
            sensitivity = rank()
        outcome = _judged(made(method), plan, trial, scores, methods, sensitivity, say)
        count = FIRST_FLOAT
        while outcome.manifest.gates.failures() and not outcome.died and count <= MOST_FLOAT:
            sensitivity = sensitivity or rank()
            say(f"accuracy fell too far: leaving {count} layers in float")
            outcome = _judged(made(method, list(sensitivity)[:count]), plan, trial, scores, methods, sensitivity, say)
            count *= 2
    except BackendError as error:  # a file with one layer in INT8
        log.warning("layers are not ranked: %s", error)
        outcome = _judged(made(method), plan, trial, scores, methods, {}, say)
    return outcome


def _written(
    scratch: Path,
    stem: str,
    reference: Manifest,
    plan: Plan,
    write: Callable[[Path], None],
    evidence: Mapping[str, object],
    chosen: CalibrationSet | None,
) -> tuple[Manifest, Path]:
    """A candidate in the scratch folder: it takes its place in the model folder when it has been judged."""
    target = scratch / f"{stem}.onnx"
    write(target)
    manifest = msgspec.structs.replace(
        reference,
        file=target.name,
        sha256=sha256_of(target),
        parent_sha256=reference.sha256,
        precision=stem.partition("-")[0],
        target=form_of(plan.target),
        calibration_sha256=chosen.sha256 if chosen else "",
        grey_levels=grey_levels_of(chosen) if chosen else None,
        evidence=dict(evidence),
        command=plan.command,
        gates=Gates(),
    )
    return manifest, target.with_suffix(".json")


def _installed(outcome: Outcome, folder: Path) -> Outcome:
    """Move a judged candidate into the model folder."""
    manifest, path = outcome.manifest, folder / outcome.path.name
    os.replace(outcome.path.with_name(manifest.file), folder / manifest.file)
    write_manifest(manifest, path)
    path.with_suffix(".sig").unlink(missing_ok=True)  # the signature of what stood here before
    return replace(outcome, path=path)


def _score(manifest: Manifest, path: Path, plan: Plan, trial: Trial) -> tuple[Scores, str]:
    job = functools.partial(score_file, manifest, path, trial, plan.backend, plan.threads)
    return apart(job, path.with_name(manifest.file), plan.backend)


def _judged(
    made: tuple[Manifest, Path],
    plan: Plan,
    trial: Trial,
    reference: Scores,
    methods: Mapping[str, float],
    sensitivity: Mapping[str, float],
    say: Callable[[str], None],
) -> Outcome:
    manifest, path = made
    say(f"scoring {manifest.precision}")
    try:
        scores, backend = _score(manifest, path, plan, trial)
    except BackendError as error:
        return _dead(manifest, path, plan, trial, error)
    gate = accuracy_gate(manifest.parent_sha256, reference, scores, trial, backend, plan.tolerances)
    manifest = msgspec.structs.replace(manifest, gates=Gates(accuracy=gate))
    return Outcome(manifest, path, scores, None, methods, sensitivity)


def _dead(manifest: Manifest, path: Path, plan: Plan, trial: Trial, error: BackendError) -> Outcome:
    """An artefact on which the engine failed, with the gate that refuses it: of its frames none was answered."""
    how = str(error).partition(" ")[2]  # it starts with the name of the file that was tried
    change = Change("any view", f"{how}: share of frames answered", 1.0, 0.0, 0.0)
    gate = AccuracyGate(
        reference_sha256=manifest.parent_sha256, backend=plan.backend, data=trial.data, frames=0, changes=(change,)
    )
    return Outcome(msgspec.structs.replace(manifest, gates=Gates(accuracy=gate)), path, {}, died=how)


def race_files(
    found: Sequence[tuple[Manifest, Path]], backend: str, threads: int | None, rounds: int
) -> tuple[dict[str, tuple[float, float]], str]:
    """(p50, p90) in ms of each precision, run in turn on one random frame, and the engine's name and release."""
    backends = {manifest.precision: load_model(manifest, path, backend, threads).backend for manifest, path in found}
    port = found[0][0].inputs[0]
    feed = {port.name: np.random.default_rng(0).integers(0, 256, port.shape, np.uint8)}
    times = race({name: functools.partial(opened.infer, feed) for name, opened in backends.items()}, rounds)
    first = next(iter(backends.values()))
    return times, f"{first.name} {first.version}"


def _raced(outcomes: Sequence[Outcome], plan: Plan, trial: Trial, say: Callable[[str], None]) -> list[Outcome]:
    """Add latencies, and to the narrower files their speed gate against FP32."""
    running = [o for o in outcomes if not o.died]
    say(f"racing {', '.join(o.manifest.precision for o in running)}")
    job = functools.partial(
        race_files, [(o.manifest, o.path) for o in running], plan.backend, plan.threads, plan.rounds
    )
    first = outcomes[0]
    try:
        times, backend = apart(job, running[-1].path.with_name(running[-1].manifest.file), plan.backend)
    except BackendError as error:
        return [first, *(_kept(_dead(o.manifest, o.path, plan, trial, error)) for o in outcomes[1:])]
    raced = []
    for outcome in outcomes:
        if outcome.died:
            raced.append(outcome)
            continue
        manifest = outcome.manifest
        outcome = replace(outcome, latency_ms=times[manifest.precision])
        if outcome.path != first.path:
            gate = speed_gate(
                times[manifest.precision], times["fp32"], first.manifest.sha256, backend, machine_name(), plan.rounds
            )
            gates = msgspec.structs.replace(manifest.gates, speed=gate)
            outcome = _kept(replace(outcome, manifest=msgspec.structs.replace(manifest, gates=gates)))
        raced.append(outcome)
    return raced


def _kept(outcome: Outcome) -> Outcome:
    """The outcome, its manifest written."""
    write_manifest(outcome.manifest, outcome.path)
    return outcome
