"""FP32 to the artefacts of a target, each with its gates: what `echoedge compile` runs, for one graph or several."""

from __future__ import annotations

import functools
import logging
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from calib.drift import grey_levels_of
from compile.apart import apart
from compile.gates import Times, accuracy_gate, race, speed_gate
from compile.graphs import Graphs, example_inputs, files_of, references_of
from compile.install import install
from compile.outcome import Layer, Outcome
from compile.plan import Plan
from compile.quantize.model import ModelQuantizer
from compile.quantize.precision import fp16_from_onnx
from compile.quantize.ranges import METHODS
from compile.quantize.sensitivity import compare_methods, rank_layers
from compile.score import Scores, Trial, score_graphs
from edge.errors import BackendError, ModelError
from edge.machine import machine_name
from edge.nets.artefacts import Found
from edge.nets.manifest import AccuracyGate, Change, Gates, Manifest, sha256_of
from edge.nets.model import open_artefact

log = logging.getLogger(__name__)

FIRST_FLOAT, MOST_FLOAT = 1, 16
"""Layers left in float after the first failure, doubled each time, and at most."""
Say = Callable[[str], None]


def run_plan(
    folder: Path, plan: Plan, trial: Trial, quantizer: ModelQuantizer | None, say: Say = lambda _: None
) -> list[Outcome]:
    """Write the artefacts of a plan with their manifests into a model folder; the FP32 reference comes first.

    Everything is made and judged in a scratch folder and installed at the end, all or nothing. What fails a gate is
    installed with its gate, which refuses it when it is loaded; so is what the engine fails on, hangs on or dies of.
    Raises ModelError without FP32 files, BackendError where FP32 itself does not run.
    """
    folder = folder.absolute()  # candidates are read in a process whose working folder may be another
    references = references_of(folder)
    if quantizer is None and "int8" in plan.precisions:
        raise ModelError("INT8 needs a calibration set: give --data, or --calibration with a set's list file")
    say("scoring fp32")
    try:
        scores, _ = _score(references, plan, trial)
    except BackendError as error:
        raise BackendError(f"{error}; nothing can be compared with it, give another --backend") from error
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        workshop = _Workshop(plan, trial, references, scores, Path(scratch), say)
        outcomes = [Outcome(graphs=references, scores=scores)]
        for precision in plan.precisions:
            if precision == "fp16":
                outcomes.append(workshop.make_fp16())
            else:
                assert quantizer is not None
                outcomes.append(workshop.make_int8(quantizer))
        if plan.target == "cpu":
            outcomes = workshop.race(outcomes)
        places = install([outcome.graphs for outcome in outcomes[1:]], folder)
    return [outcomes[0], *(replace(outcome, graphs=graphs) for outcome, graphs in zip(outcomes[1:], places))]


def _score(graphs: Graphs, plan: Plan, trial: Trial) -> tuple[Scores, str]:
    job = functools.partial(score_graphs, graphs, trial, plan.backend, plan.threads)
    return apart(job, list(files_of(graphs).values())[-1], plan.backend)


@dataclass(frozen=True)
class _Workshop:
    """Where candidates are made and judged. `scores` are those of `references`, the FP32 graphs."""

    plan: Plan
    trial: Trial
    references: Graphs
    scores: Scores
    scratch: Path
    say: Say

    def make_fp16(self) -> Outcome:
        files = self._files("fp16")
        for task, source in files_of(self.references).items():
            fp16_from_onnx(source, files[task])
        return self._judged(Outcome(graphs=self._described(files, "fp16"), scores={}))

    def make_int8(self, quantizer: ModelQuantizer) -> Outcome:
        """By the wanted method or the best; while it loses too much accuracy, with ever more layers in float."""
        plan, say = self.plan, self.say
        say(f"observing activations on {len(quantizer.chosen.frames)} frames")
        quantizer.graphs  # noqa: B018 - observes, once
        say("comparing calibration methods")
        method = METHODS[0] if plan.method == "auto" else plan.method
        try:
            methods = compare_methods(quantizer, plan.form, plan.backend)
        except BackendError as error:  # the methods' files have the same nodes: another one would fare no better
            return self._dead(Outcome(graphs=self._int8(quantizer, method), scores={}), error)
        if plan.method == "auto":
            method = min(methods, key=lambda name: methods[name])
        sensitivity: dict[Layer, float] = {}

        def rank() -> dict[Layer, float]:
            return rank_layers(
                quantizer,
                plan.form,
                method,
                plan.backend,
                lambda done, total: say(f"ranking layers {done}/{total}"),
            )

        def judged(in_float: Sequence[Layer] = ()) -> Outcome:
            graphs = self._int8(quantizer, method, in_float)
            return self._judged(Outcome(graphs=graphs, scores={}, methods=methods, sensitivity=sensitivity))

        try:
            if plan.ranks_layers:
                sensitivity = rank()
            outcome = judged()
            count = FIRST_FLOAT
            while outcome.failures() and not outcome.died and count <= MOST_FLOAT:
                sensitivity = sensitivity or rank()
                say(f"accuracy fell too far: leaving {count} layers in float")
                outcome = judged(list(sensitivity)[:count])
                count *= 2
        except BackendError as error:  # a file with one layer in INT8
            log.warning("layers are not ranked: %s", error)
            sensitivity = {}
            outcome = judged()
        return outcome

    def race(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Add latencies, and to the narrower graphs their speed gates against FP32."""
        plan, first = self.plan, outcomes[0]
        running = [outcome for outcome in outcomes if not outcome.died]
        self.say(f"racing {', '.join(outcome.manifest.precision for outcome in running)}")
        models = {outcome.manifest.precision: outcome.graphs for outcome in running}
        job = functools.partial(race_graphs, models, plan.backend, plan.threads, plan.rounds)
        try:
            times, backend = apart(job, list(files_of(running[-1].graphs).values())[-1], plan.backend)
        except BackendError as error:
            return [first, *(self._dead(outcome, error) for outcome in outcomes[1:])]

        def gates_of(manifest: Manifest) -> Gates:
            own, wide = times[manifest.task][manifest.precision], times[manifest.task]["fp32"]
            gate = speed_gate(own, wide, manifest.parent_sha256, backend, machine_name(), plan.rounds)
            return msgspec.structs.replace(manifest.gates, speed=gate)

        raced = []
        for outcome in outcomes:
            if not outcome.died:
                latency = {task: found[outcome.manifest.precision] for task, found in times.items()}
                outcome = replace(outcome, latency_ms=latency)
                outcome = outcome if outcome.graphs is first.graphs else outcome.with_gates(gates_of)
            raced.append(outcome)
        return raced

    def _int8(self, quantizer: ModelQuantizer, method: str, in_float: Collection[Layer] = ()) -> dict[str, Found]:
        files = self._files("int8" if self.plan.form == "cpu" else "int8-tensorrt")
        quantizer.write(files, self.plan.form, method, in_float)
        chosen = quantizer.chosen
        described = self._described(files, "int8")
        return {
            task: (
                msgspec.structs.replace(
                    manifest,
                    calibration_sha256=chosen.sha256,
                    grey_levels=grey_levels_of(chosen),
                    evidence={
                        "calibration_frames": len(chosen.frames),
                        "calibration": method,
                        "float_nodes": [name for other, name in in_float if other == task],
                    },
                ),
                path,
            )
            for task, (manifest, path) in described.items()
        }

    def _files(self, stem: str) -> dict[str, Path]:
        """Task -> the file of a candidate: the reference's name with another precision in it."""
        sources = files_of(self.references)
        return {task: self.scratch / file.name.replace("fp32", stem) for task, file in sources.items()}

    def _described(self, files: Mapping[str, Path], precision: str) -> dict[str, Found]:
        """Manifests for files that were made from the references; nothing is written yet."""
        return {
            task: (
                msgspec.structs.replace(
                    self.references[task][0],
                    file=file.name,
                    sha256=sha256_of(file),
                    parent_sha256=self.references[task][0].sha256,
                    precision=precision,
                    target=self.plan.form,
                    calibration_sha256="",
                    grey_levels=None,
                    evidence={},
                    command=self.plan.command,
                    gates=Gates(),
                ),
                file.with_suffix(".json"),
            )
            for task, file in files.items()
        }

    def _judged(self, made: Outcome) -> Outcome:
        self.say(f"scoring {made.manifest.precision}")
        try:
            scores, backend = _score(made.graphs, self.plan, self.trial)
        except BackendError as error:
            return self._dead(made, error)

        def gates_of(manifest: Manifest) -> Gates:
            gate = accuracy_gate(manifest.parent_sha256, self.scores, scores, self.trial, backend, self.plan.tolerances)
            return Gates(accuracy=gate)

        return replace(made.with_gates(gates_of), scores=scores)

    def _dead(self, made: Outcome, error: BackendError) -> Outcome:
        """A candidate on which the engine failed, with the gate that refuses it: of its frames none was answered."""
        how = str(error).partition(" ")[2]  # it starts with the name of the file that was tried
        change = Change("any view", f"{how}: share of frames answered", 1.0, 0.0, 0.0)

        def gates_of(manifest: Manifest) -> Gates:
            gate = AccuracyGate(
                reference_sha256=manifest.parent_sha256,
                backend=self.plan.backend,
                data=self.trial.data,
                frames=0,
                changes=(change,),
            )
            return Gates(accuracy=gate)

        return replace(made.with_gates(gates_of), scores={}, latency_ms={}, methods={}, sensitivity={}, died=how)


def race_graphs(
    models: Mapping[str, Graphs], backend: str, threads: int | None, rounds: int
) -> tuple[dict[str, dict[str, Times]], str]:
    """Task -> precision -> (p50, p90) in ms, a graph's precisions run in turn on one input; the engine and its release.

    models: precision -> graphs, "fp32" among them.
    """
    wide = models["fp32"]
    inputs = example_inputs(wide, backend, threads)
    times = {}
    for task in wide:
        with ExitStack() as stack:
            opened = {
                precision: stack.enter_context(closing(open_artefact(*graphs[task], backend, threads)))
                for precision, graphs in models.items()
            }
            engine = f"{opened['fp32'].name} {opened['fp32'].version}"
            runners = {name: functools.partial(net.infer, inputs[task]) for name, net in opened.items()}
            times[task] = race(runners, rounds)
    return times, engine
