"""FP32 encoder and denoiser to INT8 or FP16, with their gates: `echoedge compile refine`."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from calib.choose import CalibrationSet
from calib.drift import grey_levels_of
from calib.feed import Feed
from compile.apart import apart
from compile.calibration import choose_from, feed_of, inputs_of
from compile.gates import TOLERANCES, accuracy_gate, race, speed_gate
from compile.graph import readers_of
from compile.pipeline import judging_backend
from compile.precision import Quantizer, fp16_from_onnx
from compile.ranges import METHODS
from compile.score import Scores, Trial, open_trial
from edge.errors import ModelError
from edge.machine import machine_name, recorded
from edge.nets.backends import open_backend
from edge.nets.manifest import Gates, Manifest, find_manifests, sha256_of, write_manifest
from edge.preprocess import preprocess
from edge.refine.refiner import DENOISER, ENCODER, Refiner, open_refiner
from edge.screen.sector import find_sector
from train.data.camus import read_split
from train.evaluate.segmentation import evaluate_frame

Found = dict[str, tuple[Manifest, Path]]


def score_refiner(refiner: Refiner, trial: Trial, samples: int = 1) -> Scores:
    """LV Dice and HD95 in mm of each view, of the mean of `samples` draws, always of the same noise."""
    rows = [evaluate_frame(refiner(s.image, samples=samples).mask, s, {"lv": 1}) for s in trial.samples]
    out: Scores = {}
    views = np.array([s.view for s in trial.samples])
    for view in np.unique(views):
        keep = np.flatnonzero(views == view)
        distances = np.array([rows[i]["hd95"]["lv"] for i in keep])
        out[str(view), "LV Dice"] = float(np.mean([rows[i]["dice"]["lv"] for i in keep]))
        out[str(view), "LV HD95 mm"] = float(np.nanmean(distances)) if not np.isnan(distances).all() else np.nan
    return out


def inner_convolutions(path: Path) -> list[str]:
    """Convolutions to quantise: all but those that an output or a probability is read from.

    GroupNorm, attention, time embedding and the last convolution of each step stay in float.
    """
    graph = onnx.load(path, load_external_data=False).graph
    readers = readers_of(graph)
    outputs = {value.name for value in graph.output}
    unfold = ("Reshape", "DepthToSpace", "Transpose")
    return [
        node.name
        for node in graph.node
        if node.op_type == "Conv"
        and node.output[0] not in outputs
        and not any(
            reader.op_type in unfold and _unfolds(reader, readers) for reader in readers.get(node.output[0], ())
        )
    ]


def _unfolds(node: onnx.NodeProto, readers: Mapping[str, list[onnx.NodeProto]]) -> bool:
    """Whether a node begins a pixel shuffle, which stands behind every last convolution."""
    if node.op_type == "DepthToSpace":
        return True
    return any(reader.op_type == "DepthToSpace" for reader in readers.get(node.output[0], ()))


def halve_refiner(
    folder: Path,
    trial: Trial,
    backend: str = "auto",
    rounds: int = 50,
    command: str = "",
    tolerances: Mapping[str, float] = TOLERANCES,
) -> dict[str, Manifest]:
    """Write encoder-fp16 and denoiser-fp16 beside the FP32 files, with gates as `quantize_refiner`; their manifests by
    task.
    """
    there = _references(folder)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = {task: Path(scratch) / f"{task}.onnx" for task in there}
        for task, path in made.items():
            fp16_from_onnx(folder / there[task][0].file, path)
        return _judged(folder, "fp16", made, trial, backend, rounds, tolerances, {"command": command})


def quantize_refiner(
    folder: Path,
    chosen: CalibrationSet,
    inputs: Sequence[NDArray[np.uint8]],
    trial: Trial,
    backend: str = "auto",
    rounds: int = 50,
    command: str = "",
    tolerances: Mapping[str, float] = TOLERANCES,
) -> dict[str, Manifest]:
    """Write encoder-int8 and denoiser-int8 beside the FP32 files, with gates; their manifests by task.

    Of the calibration methods, that one is kept whose samples are nearest to FP32's on the first frames. The accuracy
    gate judges both narrower files together against both FP32 files; each has a speed gate of its own. A file that
    fails is written too and refused when it is loaded.
    """
    there = _references(folder)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        sources = {task: folder / manifest.file for task, (manifest, _) in there.items()}
        feeds: dict[str, Feed] = {task: feed_of(there[task][0], source, inputs) for task, source in sources.items()}
        quantizers = {task: Quantizer(source, feeds[task]) for task, source in sources.items()}
        nodes = {task: inner_convolutions(source) for task, source in sources.items()}
        probes = inputs[:4]
        expected = _refined_apart(there, sources, backend, probes)
        candidates: dict[str, tuple[float, dict[str, Path]]] = {}
        for method in METHODS:
            made = {task: Path(scratch) / f"{task}-{method}.onnx" for task in sources}
            for task, path in made.items():
                quantizers[task].write(path, "cpu", method, only_nodes=nodes[task])
            found = _refined_apart(there, made, backend, probes)
            distance = np.mean([np.abs(f - e).mean() for f, e in zip(found, expected)])
            candidates[method] = (float(distance), made)
        method = min(candidates, key=lambda name: candidates[name][0])
        facts = {
            "calibration_sha256": chosen.sha256,
            "grey_levels": grey_levels_of(chosen),
            "command": command,
            "evidence": {"calibration": method, "calibration_frames": len(inputs)},
        }
        return _judged(folder, "int8", candidates[method][1], trial, backend, rounds, tolerances, facts)


def _references(folder: Path) -> Found:
    """Both FP32 files by task. Raises ModelError where one is missing."""
    there: Found = {m.task: (m, p) for m, p in find_manifests(folder) if m.precision == "fp32"}
    if there.keys() < {ENCODER, DENOISER}:
        raise ModelError(f"{folder} lacks the FP32 encoder or denoiser; make both with `echoedge export`")
    return there


def _judged(
    folder: Path,
    precision: str,
    made: Mapping[str, Path],
    trial: Trial,
    backend: str,
    rounds: int,
    tolerances: Mapping[str, float],
    facts: Mapping[str, Any],
) -> dict[str, Manifest]:
    """Score and race narrower files against the FP32 ones, move them to their names and write their manifests.

    Raises BackendError, with nothing changed, where the engine does not survive a frame.
    """
    there = _references(folder)
    _refined_apart(there, made, backend, [np.zeros(there[ENCODER][0].inputs[0].shape, np.uint8)])
    with open_refiner(folder, "fp32", backend) as reference, _refiner(there, made, backend) as narrow:
        name = f"{narrow.encoder.name} {narrow.encoder.version}"
        wide_scores, scores = score_refiner(reference, trial), score_refiner(narrow, trial)
        frame = preprocess(trial.samples[0].image, find_sector([trial.samples[0].image]).box, reference.spec)
        feeds = {ENCODER: {"frame": frame}, DENOISER: reference.denoiser_inputs(frame, reference.encode(frame), 0)}
        pairs = {
            ENCODER: (reference.encoder, narrow.encoder),
            DENOISER: (reference.denoiser, narrow.denoiser),
        }
        manifests = {}
        for task, (wide, tried) in pairs.items():
            feed, parent = feeds[task], there[task][0]
            times = race(
                {"fp32": functools.partial(wide.infer, feed), precision: functools.partial(tried.infer, feed)}, rounds
            )
            target = folder / parent.file.replace("fp32", precision)
            os.replace(made[task], target)
            gates = Gates(
                accuracy=accuracy_gate(parent.sha256, wide_scores, scores, trial, name, tolerances),
                speed=speed_gate(times[precision], times["fp32"], parent.sha256, name, machine_name(), rounds),
            )
            evidence = {**parent.evidence, **facts.get("evidence", {})}
            manifests[task] = msgspec.structs.replace(
                parent,
                file=target.name,
                sha256=sha256_of(target),
                parent_sha256=parent.sha256,
                precision=precision,
                target="cpu",
                gates=gates,
                **{**facts, "evidence": evidence},
            )
            write_manifest(manifests[task], target.with_suffix(".json"))
            target.with_suffix(".sig").unlink(missing_ok=True)  # the signature of what stood here before
    return manifests


def refined(
    there: Found, paths: Mapping[str, Path], backend: str, frames: Sequence[NDArray[np.uint8]]
) -> list[NDArray[np.float32]]:
    """Probabilities 1 x size x size of each frame, from files of both graphs under the manifests of the FP32 ones."""
    with _refiner(there, paths, backend) as opened:
        return [opened.infer(frame, 1) for frame in frames]


def _refined_apart(
    there: Found, paths: Mapping[str, Path], backend: str, frames: Sequence[NDArray[np.uint8]]
) -> list[NDArray[np.float32]]:
    backend = judging_backend("cpu", backend)
    return apart(functools.partial(refined, there, dict(paths), backend, frames), paths[DENOISER], backend)


def _refiner(there: Found, paths: Mapping[str, Path], backend: str) -> Refiner:
    """A refiner of files that have no manifest yet, under those of the FP32 files."""
    encoder, denoiser = ((there[task][0], open_backend(paths[task], backend)) for task in (ENCODER, DENOISER))
    return Refiner(encoder, denoiser)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge compile refine",
        description="A refining model's encoder and denoiser in INT8 or FP16, with proof of accuracy and speed. What fails a "
        "gate is written, too, and refused when it is loaded.",
        epilog="example: echoedge compile refine models/echo-dnd --data camus:/data/camus --held-out split_valid.txt",
    )
    p.add_argument("folder", type=Path, help="model folder that `echoedge export` made")
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER, may be repeated")
    p.add_argument("--held-out", type=Path, required=True, help="file of patients that judge accuracy, one a line")
    p.add_argument("--precision", choices=("int8", "fp16"), default="int8")
    p.add_argument("--count", type=int, default=64, help="calibration frames of INT8 (default 64)")
    p.add_argument("--backend", default="auto")
    p.add_argument("--rounds", type=int, default=50, help="runs of the race (default 50)")
    p.add_argument("--seed", type=int, default=0)
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    held_out = read_split(args.held_out)
    spec = next((m.preprocess for m, _ in find_manifests(args.folder) if m.task == ENCODER), None)
    if spec is None:
        raise ModelError(f"{args.folder} holds no encoder; make both graphs with `echoedge export`")
    trial = open_trial("segmentation", args.data, held_out, spec.size_px)
    command = recorded("compile refine", argv)
    if args.precision == "fp16":
        manifests = halve_refiner(args.folder, trial, args.backend, args.rounds, command)
    else:
        chosen = choose_from(args.data, args.count, held_out, args.seed)
        inputs = inputs_of(chosen, args.data, spec)
        manifests = quantize_refiner(args.folder, chosen, inputs, trial, args.backend, args.rounds, command)
    for task, made in manifests.items():
        speed = made.gates.speed
        assert speed is not None
        verdict = "; ".join(made.gates.failures()) or "passes its gates"
        print(f"{task}: {speed.p50_ms:.1f} ms, FP32 {speed.reference_p50_ms:.1f} ms: {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
