"""FP32 encoder and denoiser to INT8, with their gates: `echoedge compile refine`."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from calib.choose import CalibrationSet
from calib.drift import grey_levels_of
from calib.feed import Feed
from compile.calibration import choose_from, feed_of, inputs_of
from compile.gates import TOLERANCES, accuracy_gate, race, speed_gate
from compile.precision import Quantizer
from compile.ranges import METHODS
from compile.score import Scores, Trial, open_trial
from edge.backends import open_backend
from edge.errors import ModelError
from edge.machine import machine_name, recorded
from edge.manifest import Gates, Manifest, find_manifests, sha256_of, write_manifest
from edge.refine import DENOISER, ENCODER, Refiner, open_refiner
from train.data.camus import read_split
from train.evaluate import evaluate_frame

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
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
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


def quantize_refiner(
    folder: Path, chosen: CalibrationSet, inputs: Sequence[NDArray[np.uint8]], trial: Trial, backend: str = "auto",
    rounds: int = 50, command: str = "", tolerances: Mapping[str, float] = TOLERANCES,
) -> dict[str, Manifest]:  # fmt: skip
    """Write encoder-int8 and denoiser-int8 beside the FP32 files, with gates; their manifests by task.

    Of the calibration methods, that one is kept whose samples are nearest to FP32's on the first frames. The accuracy gate
    judges both INT8 files together against both FP32 files; each has a speed gate of its own. A file that fails is written too
    and refused when it is loaded.
    """
    there: Found = {m.task: (m, p) for m, p in find_manifests(folder) if m.precision == "fp32"}
    if there.keys() < {ENCODER, DENOISER}:
        raise ModelError(f"{folder} lacks the FP32 encoder or denoiser; make both with `echoedge export`")
    with open_refiner(folder, "fp32", backend) as reference, tempfile.TemporaryDirectory(dir=folder) as scratch:
        sources = {task: folder / manifest.file for task, (manifest, _) in there.items()}
        feeds: dict[str, Feed] = {task: feed_of(there[task][0], source, inputs) for task, source in sources.items()}
        quantizers = {task: Quantizer(source, feeds[task]) for task, source in sources.items()}
        nodes = {task: inner_convolutions(source) for task, source in sources.items()}
        probes = inputs[:4]
        expected = [reference.infer(frame, 1) for frame in probes]
        candidates: dict[str, tuple[float, dict[str, Path]]] = {}
        for method in METHODS:
            made = {task: Path(scratch) / f"{task}-{method}.onnx" for task in sources}
            for task, path in made.items():
                quantizers[task].write(path, "cpu", method, only_nodes=nodes[task])
            trying = _refiner(there, made, backend)
            distance = np.mean([np.abs(trying.infer(f, 1) - e).mean() for f, e in zip(probes, expected)])
            candidates[method] = (float(distance), made)
        method = min(candidates, key=lambda name: candidates[name][0])
        best = _refiner(there, candidates[method][1], backend)
        name = f"{best.encoder.name} {best.encoder.version}"
        scores = {"fp32": score_refiner(reference, trial), "int8": score_refiner(best, trial)}
        runs = {
            ENCODER: (reference.encoder, best.encoder, next(iter(feeds[ENCODER]))),
            DENOISER: (reference.denoiser, best.denoiser, next(iter(feeds[DENOISER]))),
        }
        manifests = {}
        for task, (wide, narrow, feed) in runs.items():
            runners = {"fp32": functools.partial(wide.infer, feed), "int8": functools.partial(narrow.infer, feed)}
            times = race(runners, rounds)
            parent = there[task][0]
            target = folder / parent.file.replace("fp32", "int8")
            os.replace(candidates[method][1][task], target)
            gates = Gates(
                accuracy=accuracy_gate(parent.sha256, scores["fp32"], scores["int8"], trial, name, tolerances),
                speed=speed_gate(times["int8"], times["fp32"], parent.sha256, name, machine_name(), rounds),
            )
            manifests[task] = msgspec.structs.replace(
                parent, file=target.name, sha256=sha256_of(target), parent_sha256=parent.sha256, precision="int8", target="cpu",
                calibration_sha256=chosen.sha256, grey_levels=grey_levels_of(chosen), command=command, gates=gates,
                evidence={**parent.evidence, "calibration": method, "calibration_frames": len(inputs)},
            )  # fmt: skip
            write_manifest(manifests[task], target.with_suffix(".json"))
    return manifests


def _refiner(there: Found, paths: Mapping[str, Path], backend: str) -> Refiner:
    """A refiner of files that have no manifest yet, under those of the FP32 files."""
    encoder, denoiser = ((there[task][0], open_backend(paths[task], backend)) for task in (ENCODER, DENOISER))
    return Refiner(encoder, denoiser)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge compile refine",
        description="Quantise a refining model's encoder and denoiser to INT8 and prove accuracy and speed.",
        epilog="example: echoedge compile refine models/echo-dnd --data camus:/data/camus --held-out split_valid.txt",
    )
    p.add_argument("folder", type=Path, help="model folder that `echoedge export` made")
    p.add_argument("--data", action="append", required=True, help="KIND:FOLDER, may be repeated")
    p.add_argument("--held-out", type=Path, required=True, help="file of patients that judge accuracy, one a line")
    p.add_argument("--count", type=int, default=64, help="calibration frames (default 64)")
    p.add_argument("--backend", default="auto")
    p.add_argument("--rounds", type=int, default=50, help="runs of the race (default 50)")
    p.add_argument("--seed", type=int, default=0)
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    held_out = read_split(args.held_out)
    chosen = choose_from(args.data, args.count, held_out, args.seed)
    spec = next((m.preprocess for m, _ in find_manifests(args.folder) if m.task == ENCODER), None)
    if spec is None:
        raise ModelError(f"{args.folder} holds no encoder; make both graphs with `echoedge export`")
    trial = open_trial("segmentation", args.data, held_out, spec.size_px)
    inputs = inputs_of(chosen, args.data, spec)
    command = recorded("compile refine", argv)
    for task, made in quantize_refiner(args.folder, chosen, inputs, trial, args.backend, args.rounds, command).items():
        speed = made.gates.speed
        assert speed is not None
        verdict = "; ".join(made.gates.failures()) or "passes its gates"
        print(f"{task}: {speed.p50_ms:.1f} ms, FP32 {speed.reference_p50_ms:.1f} ms: {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
