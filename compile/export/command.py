"""`echoedge export`: a checkpoint to a model folder, the FP32 file with its manifest."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from compile.export.checkpoint import LEGACY_OPSET, OPSET, onnx_from_checkpoint
from compile.export.stream import stream_from_checkpoint
from edge.errors import ModelError
from edge.heart.regions import REGIONS
from edge.machine import recorded
from edge.nets.manifest import SCHEMA, Manifest, Port, sha256_of, write_manifest
from edge.preprocess import PreprocessSpec
from train.checkpoint import load_checkpoint
from train.facts import Facts
from train.nets import ECHO_DND
from train.nets.ral import RECURRENT_NETS

LICENCES = ("CC-BY-NC-SA-4.0", "Apache-2.0")


def ports_of(path: Path, meanings: Mapping[str, str]) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """Inputs and outputs of an ONNX file with their meaning."""
    graph = onnx.load(path, load_external_data=False).graph
    return _ports(graph.input, meanings), _ports(graph.output, meanings)


def _ports(values: Iterable[onnx.ValueInfoProto], meanings: Mapping[str, str]) -> tuple[Port, ...]:
    return tuple(
        Port(
            value.name,
            tuple(d.dim_value for d in value.type.tensor_type.shape.dim),
            onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
            meanings[value.name],
        )
        for value in values
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
        from compile.export.echo_dnd import meanings_of, onnx_from_echo_dnd  # diffusers takes seconds to import

        evidence = {"steps": args.steps, "opset": LEGACY_OPSET}
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
