"""Checkpoint to ONNX: `echoedge export`. The only file of this package that reaches torch."""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn

from compile import tracing
from compile.export_stream import stream_from_checkpoint
from edge.errors import ModelError
from edge.heart.regions import REGIONS
from edge.machine import recorded
from edge.nets.manifest import SCHEMA, Manifest, Port, sha256_of, write_manifest
from edge.preprocess import PreprocessSpec, preprocess
from edge.screen.sector import find_sector
from train.checkpoint import load_checkpoint, weights_of
from train.data import open_data
from train.facts import Facts
from train.nets import ECHO_DND, NETS
from train.nets.pspnet_mk import OUTPUT_STRIDE, upsample
from train.nets.ral import RECURRENT_NETS

OPSET, LEGACY_OPSET = 18, tracing.OPSET
PARITY_FRAMES = 8
LICENCES = ("CC-BY-NC-SA-4.0", "Apache-2.0")


class SegmentationGraph(nn.Module):
    """uint8 N1HW in, class map uint8 N x H x W out: normalisation, upsampling and argmax folded in.

    The upsampling is that of `train.nets.pspnet_mk.upsample`, written as two products with interpolation matrices:
    OpenVINO runs argmax after a product several times faster than after a Resize (benchmarks/graph_tail.py).
    """

    across: torch.Tensor
    down: torch.Tensor

    def __init__(self, net: nn.Module, size_px: int) -> None:
        super().__init__()
        self.net = net
        cells = -(-size_px // OUTPUT_STRIDE)
        # Interpolating the unit vectors gives the matrix, cells x size.
        matrix = F.interpolate(torch.eye(cells)[None], size_px, mode="linear", align_corners=True)[0]
        self.register_buffer("across", matrix)
        self.register_buffer("down", matrix.T.contiguous())

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        logits = self.net(frame.float() / 127.5 - 1)
        upsampled = self.down @ (logits @ self.across)
        return upsampled.argmax(1).to(torch.uint8)


class QualityGraph(nn.Module):
    """uint8 N1HW in, eight scores float32 N x 8 out, clipped to 1-5."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        return self.net(frame.float() / 127.5 - 1).clamp(1, 5)


def graph_from_checkpoint(
    checkpoint: Path, size_px: int | None = None
) -> tuple[SegmentationGraph | QualityGraph, torch.Tensor, Facts]:
    """(graph with the checkpoint's averaged weights, a random frame of its input's shape, the checkpoint's facts).

    size_px overrides the size the network was trained at. Raises ModelError for a size it cannot pool.
    """
    tensors, facts = load_checkpoint(checkpoint)
    if facts.net not in NETS:
        raise ModelError(f"{checkpoint} holds the net '{facts.net}'; this version exports {', '.join(NETS)}")
    facts = msgspec.structs.replace(facts, size=size_px or facts.size)
    try:
        net = NETS["quality"]() if facts.net == "quality" else NETS[facts.net](len(facts.classes), facts.size)
    except ValueError as error:
        raise ModelError(str(error)) from error
    net.load_state_dict(weights_of(tensors))
    graph = (QualityGraph(net) if facts.net == "quality" else SegmentationGraph(net, facts.size)).eval()
    frame = np.random.default_rng(0).integers(0, 256, (1, 1, facts.size, facts.size), np.uint8)
    return graph, torch.from_numpy(frame), facts


def onnx_from_checkpoint(
    checkpoint: Path, path: Path, opset: int = OPSET, size_px: int | None = None, places: Sequence[str] = ()
) -> tuple[Facts, int]:
    """Export a checkpoint as a static-shape ONNX file (batch 1); (its facts, how many frames agreed with torch).

    opset 18 comes from torch's graph capture, 17 from its older tracer: TensorRT 8.x reads no more. PARITY_FRAMES real
    frames of `places` (KIND:FOLDER) join the random one in the comparison with torch. Raises ModelError where ONNX
    Runtime and torch differ: more than 1e-4 in a score, or any pixel class where torch's two best logits are further
    apart than 1e-3.
    """
    graph, frame, facts = graph_from_checkpoint(checkpoint, size_px)
    frames = [frame.numpy()]
    for place in places:
        spec = PreprocessSpec(size_px=facts.size)
        for sample in itertools.islice(open_data(place), PARITY_FRAMES):
            frames.append(preprocess(sample.image, find_sector([sample.image]).box, spec))
    output = "scores" if isinstance(graph, QualityGraph) else "mask"
    model = (
        tracing.traced(graph, (frame,), ["frame"], [output])
        if opset == LEGACY_OPSET
        else _captured(graph, frame, output)
    )
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    onnx.save(model, temporary)
    try:
        _check_parity(graph, temporary, frames)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return facts, len(frames)


def _captured(graph: nn.Module, frame: torch.Tensor, output: str) -> onnx.ModelProto:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            (frame,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["frame"],
            output_names=[output],
            optimize=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _check_parity(graph: SegmentationGraph | QualityGraph, path: Path, frames: Sequence[np.ndarray]) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for frame in frames:
        exported = session.run(None, {"frame": frame})[0]
        with torch.inference_mode():
            if isinstance(graph, QualityGraph):
                expected = graph(torch.from_numpy(frame)).numpy()
                wrong = float(np.abs(exported - expected).max())
                if wrong > 1e-4:
                    raise ModelError(f"the exported graph differs from torch by {wrong:.2g} (allowed 1e-4)")
                continue
            logits = graph.net(torch.from_numpy(frame).float() / 127.5 - 1)
            best, classes = upsample(logits, frame.shape[-1]).topk(2, dim=1)
            clear = ((best[0, 0] - best[0, 1]) > 1e-3).numpy()
        wrong_pixels = int((exported[0] != classes[0, 0].numpy())[clear].sum())
        if wrong_pixels:
            raise ModelError(f"the exported graph gives {wrong_pixels} pixels another class than torch")


def ports_of(path: Path, meanings: Mapping[str, str]) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of an ONNX file with their meaning."""
    graph = onnx.load(path, load_external_data=False).graph
    return tuple(  # type: ignore[return-value]
        tuple(
            Port(
                value.name,
                tuple(d.dim_value for d in value.type.tensor_type.shape.dim),
                onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
                meanings[value.name],
            )
            for value in values
        )
        for values in (graph.input, graph.output)
    )


MEANINGS = {
    "frame": "grey sector crop, 0-255",
    "mask": "class of each pixel",
    "scores": "quality of each region, 1 not visible to 5 excellent",
}


def current_commit() -> str:
    """Short hash of the source's git commit, or "" outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge export",
        description="Turn a checkpoint into a model folder: fp32.onnx with its manifest.",
        epilog="example: echoedge export runs/seg/last.safetensors --name pspnet-mk --out models/pspnet-mk",
    )
    p.add_argument("checkpoint", type=Path)
    p.add_argument("--name", required=True, help="the model's name in its manifest")
    p.add_argument("--out", type=Path, required=True, help="model folder")
    p.add_argument(
        "--licence", choices=LICENCES, default=LICENCES[0], help="terms of the weights (default: those of CAMUS)"
    )
    p.add_argument(
        "--opset", type=int, choices=(OPSET, LEGACY_OPSET), default=OPSET, help="17 for TensorRT 8.x (default 18)"
    )
    p.add_argument("--size", type=int, help="input size in pixels (default: the one it was trained at)")
    p.add_argument("--steps", type=int, default=4, help="denoising steps of Echo-DND, 1 to 4 (default 4)")
    p.add_argument("--data", action="append", default=[], help="KIND:FOLDER of frames to compare with torch on")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    facts = load_checkpoint(args.checkpoint)[1]
    if facts.net == ECHO_DND:
        if args.size or args.opset != OPSET or args.data:
            raise ModelError("Echo-DND is exported as it was trained; leave --size, --opset and --data away")
        from compile.export_refine import meanings_of, onnx_from_echo_dnd  # diffusers takes seconds to import

        evidence = {"steps": args.steps, "opset": tracing.OPSET}
        for task, path in onnx_from_echo_dnd(args.checkpoint, args.out, args.steps).items():
            record(path, task, facts.classes, facts, meanings_of(path), evidence, args, argv)
            print(path)
        return 0
    path = args.out / "fp32.onnx"
    if facts.net in RECURRENT_NETS:
        if args.size or args.opset != OPSET or args.data:
            raise ModelError("a recurrent network is exported as it was trained; leave --size, --opset and --data away")
        facts, frames, meanings = stream_from_checkpoint(args.checkpoint, path)
    else:
        facts, frames = onnx_from_checkpoint(args.checkpoint, path, args.opset, args.size, args.data)
        meanings = MEANINGS
    task, classes = ("quality", REGIONS) if facts.net == "quality" else ("segmentation", facts.classes)
    evidence = {"opset": args.opset, "parity_frames": frames}
    record(path, task, classes, facts, meanings, evidence, args, argv)
    print(path)
    return 0


def record(
    path: Path,
    task: str,
    classes: tuple[str, ...],
    facts: Facts,
    meanings: Mapping[str, str],
    evidence: dict[str, Any],
    args: argparse.Namespace,
    argv: Sequence[str],
) -> None:
    """Write the manifest of an exported file beside it."""
    inputs, outputs = ports_of(path, meanings)
    manifest = Manifest(
        schema=SCHEMA,
        name=args.name,
        task=task,
        file=path.name,
        sha256=sha256_of(path),
        parent_sha256=sha256_of(args.checkpoint),
        precision="fp32",
        target="any",
        preprocess=PreprocessSpec(size_px=facts.size),
        inputs=inputs,
        outputs=outputs,
        classes=classes,
        calibration_sha256="",
        evidence={
            "training_frames": facts.training_frames,
            "epochs": len(facts.history),
            "seed": facts.run.seed,
            **evidence,
        },
        licence=args.licence,
        command=recorded("export", argv),
        commit=current_commit(),
    )
    write_manifest(manifest, path.with_suffix(".json"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
