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
from compile.gates import TOLERANCES, accuracy_gate, race, speed_gate
from compile.precision import Quantizer, fp16_from_onnx
from compile.probe import check_survives
from compile.ranges import METHODS
from compile.score import Scores, Trial, score
from compile.sensitivity import compare_methods, rank_layers
from edge.backends import BACKENDS
from edge.errors import BackendError, ModelError
from edge.machine import machine_name
from edge.manifest import Gates, Manifest, find_manifests, sha256_of, write_manifest
from edge.model import QualityScorer, Segmenter, load_model

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
    """One artefact as judged. `latency_ms` is (p50, p90), None where nothing here runs it as its target will."""

    manifest: Manifest
    path: Path
    scores: Scores
    latency_ms: tuple[float, float] | None
    methods: Mapping[str, float]
    sensitivity: Mapping[str, float]


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
    folder: Path, plan: Plan, trial: Trial, calibration: Calibration | None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:  # fmt: skip
    """Write the artefacts of a plan with their manifests into a model folder; the FP32 reference comes first.

    An artefact that fails a gate is written too, with its gate: it is refused when it is loaded. One on which the engine fails,
    or ends its process, is named in the log and left out. Raises ModelError without an FP32 file.
    """
    reference, reference_path = reference_of(folder)
    say("scoring fp32")
    model = load_model(reference, reference_path, plan.backend, plan.threads)
    scores = score(model, trial)
    outcomes = [Outcome(reference, reference_path, scores, None, {}, {})]
    if calibration is None and "int8" in plan.precisions:
        raise ModelError("INT8 needs a calibration set: give --data, or --calibration with a set's list file")
    for precision in plan.precisions:
        try:
            if precision == "fp16":
                made = _make_fp16(folder, reference, plan)
                outcomes.append(_judged(made, plan, trial, scores, {}, {}, say))
            elif precision == "int8":
                assert calibration is not None
                outcomes.append(_make_int8(folder, reference, plan, trial, scores, calibration, say))
        except BackendError as error:
            log.warning("%s is left out: %s", precision, error)
    return _raced(outcomes, plan, say) if plan.target == "cpu" else outcomes


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


def _make_fp16(folder: Path, reference: Manifest, plan: Plan) -> tuple[Manifest, Path]:
    def write(target: Path) -> None:
        fp16_from_onnx(folder / reference.file, target)

    return _written(folder, "fp16", reference, plan, write, {}, None)


def _make_int8(
    folder: Path, reference: Manifest, plan: Plan, trial: Trial, scores: Scores,
    calibration: Calibration, say: Callable[[str], None],
) -> Outcome:  # fmt: skip
    source, form = folder / reference.file, form_of(plan.target)
    frames = len(calibration.chosen.frames)
    say(f"observing activations on {frames} frames")
    quantizer, probes = calibration.quantizer, calibration.probes
    with tempfile.TemporaryDirectory() as scratch:
        first = Path(scratch) / "int8.onnx"
        quantizer.write(first, form)
        check_survives(first, plan.backend, plan.threads)
    say("comparing calibration methods")
    methods = compare_methods(quantizer, source, probes, form, plan.backend, METHODS)
    method = min(methods, key=lambda name: methods[name]) if plan.method == "auto" else plan.method
    sensitivity: dict[str, float] = {}

    def rank() -> dict[str, float]:
        return rank_layers(
            quantizer, source, probes[::2], form, method, plan.backend,
            lambda done, total: say(f"ranking layers {done}/{total}"),
        )  # fmt: skip

    def made(float_nodes: Sequence[str]) -> tuple[Manifest, Path]:
        facts = {"calibration_frames": frames, "calibration": method, "float_nodes": list(float_nodes)}
        return _written(
            folder, "int8" if form == "cpu" else "int8-tensorrt", reference, plan,
            lambda target: quantizer.write(target, form, method, float_nodes), facts, calibration.chosen,
        )  # fmt: skip

    if plan.ranks_layers:
        sensitivity = rank()
    outcome = _judged(made([]), plan, trial, scores, methods, sensitivity, say)
    count = FIRST_FLOAT
    while outcome.manifest.gates.failures() and count <= MOST_FLOAT:
        sensitivity = sensitivity or rank()
        say(f"accuracy fell too far: leaving {count} layers in float")
        outcome = _judged(made(list(sensitivity)[:count]), plan, trial, scores, methods, sensitivity, say)
        count *= 2
    return outcome


def _written(
    folder: Path, stem: str, reference: Manifest, plan: Plan, write: Callable[[Path], None],
    evidence: Mapping[str, object], chosen: CalibrationSet | None,
) -> tuple[Manifest, Path]:  # fmt: skip
    target = folder / f"{stem}.onnx"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        temporary = Path(scratch) / target.name
        write(temporary)
        os.replace(temporary, target)
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
    path = target.with_suffix(".json")
    write_manifest(manifest, path)
    path.with_suffix(".sig").unlink(missing_ok=True)  # the signature of what stood here before
    return manifest, path


def _judged(
    made: tuple[Manifest, Path], plan: Plan, trial: Trial, reference: Scores,
    methods: Mapping[str, float], sensitivity: Mapping[str, float], say: Callable[[str], None],
) -> Outcome:  # fmt: skip
    manifest, path = made
    say(f"scoring {manifest.precision}")
    check_survives(path.with_name(manifest.file), plan.backend, plan.threads)
    model = load_model(manifest, path, plan.backend, plan.threads)
    scores = score(model, trial)
    backend = f"{model.backend.name} {model.backend.version}"
    gate = accuracy_gate(manifest.parent_sha256, reference, scores, trial, backend, plan.tolerances)
    manifest = msgspec.structs.replace(manifest, gates=Gates(accuracy=gate))
    write_manifest(manifest, path)
    return Outcome(manifest, path, scores, None, methods, sensitivity)


def _raced(outcomes: Sequence[Outcome], plan: Plan, say: Callable[[str], None]) -> list[Outcome]:
    """Add latencies, and to the narrower files their speed gate against FP32."""
    say(f"racing {', '.join(o.manifest.precision for o in outcomes)}")
    models: dict[str, Segmenter | QualityScorer] = {
        o.manifest.precision: load_model(o.manifest, o.path, plan.backend, plan.threads) for o in outcomes
    }
    rng = np.random.default_rng(0)
    feed = {p.name: (rng.random(p.shape) * 255).astype(p.dtype) for p in outcomes[0].manifest.inputs}
    runners = {name: functools.partial(model.backend.infer, feed) for name, model in models.items()}
    times = race(runners, plan.rounds)
    first, *narrower = outcomes
    raced = [replace(first, latency_ms=times[first.manifest.precision])]
    for outcome in narrower:
        manifest = outcome.manifest
        backend = models[manifest.precision].backend
        gate = speed_gate(
            times[manifest.precision], times["fp32"], first.manifest.sha256,
            f"{backend.name} {backend.version}", machine_name(), plan.rounds,
        )  # fmt: skip
        manifest = msgspec.structs.replace(manifest, gates=msgspec.structs.replace(manifest.gates, speed=gate))
        write_manifest(manifest, outcome.path)
        raced.append(replace(outcome, latency_ms=times[manifest.precision], manifest=manifest))
    return raced
