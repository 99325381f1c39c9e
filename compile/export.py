"""Checkpoint to ONNX: `echoedge export`. The only file of this package that reaches torch."""

from __future__ import annotations

import argparse
import logging
import shlex
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from edge.errors import ModelError
from edge.manifest import SCHEMA, Manifest, Port, sha256_of, write_manifest
from edge.preprocess import PreprocessSpec
from edge.regions import REGIONS
from train.checkpoint import load_checkpoint, weights_of
from train.nets import NETS
from train.nets.pspnet_mk import upsample

OPSET = 18
LICENCES = ("CC-BY-NC-SA-4.0", "Apache-2.0")


class SegmentationGraph(nn.Module):
    """uint8 N1HW in, class map uint8 N x H x W out: normalisation, upsampling and argmax folded in."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        logits = self.net(frame.float() / 127.5 - 1)
        return upsample(logits, frame.shape[-1]).argmax(1).to(torch.uint8)


class QualityGraph(nn.Module):
    """uint8 N1HW in, eight scores float32 N x 8 out, clipped to 1-5."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        return self.net(frame.float() / 127.5 - 1).clamp(1, 5)


def onnx_from_checkpoint(checkpoint: Path, path: Path) -> dict[str, Any]:
    """Export a checkpoint's averaged weights as a static-shape ONNX file (batch 1) and return the checkpoint's facts.

    Raises ModelError where ONNX Runtime and torch differ: more than 1e-4 in a score, or any pixel class where torch's
    two best logits are further apart than 1e-3.
    """
    tensors, facts = load_checkpoint(checkpoint)
    size = facts["size"]
    is_segmentation = facts["net"] != "quality"
    net = NETS[facts["net"]](len(facts["classes"]), size) if is_segmentation else NETS["quality"]()
    net.load_state_dict(weights_of(tensors))
    graph = (SegmentationGraph(net) if is_segmentation else QualityGraph(net)).eval()
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (1, 1, size, size), np.uint8)
    output = "mask" if is_segmentation else "scores"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph, (torch.from_numpy(frame),), dynamo=True, opset_version=OPSET,
            input_names=["frame"], output_names=[output], optimize=True, verbose=False,
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    _check_parity(graph, path, frame, is_segmentation)
    return facts


def _check_parity(graph: nn.Module, path: Path, frame: np.ndarray, is_segmentation: bool) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    exported = session.run(None, {"frame": frame})[0]
    with torch.inference_mode():
        expected = graph(torch.from_numpy(frame)).numpy()
        if not is_segmentation:
            wrong = float(np.abs(exported - expected).max())
            if wrong > 1e-4:
                raise ModelError(f"the exported graph differs from torch by {wrong:.2g} (allowed 1e-4)")
            return
        logits = graph.net(torch.from_numpy(frame).float() / 127.5 - 1)  # type: ignore[operator]
        best = upsample(logits, frame.shape[-1]).topk(2, dim=1).values[0]
        clear = ((best[0] - best[1]) > 1e-3).numpy()
    wrong_pixels = int((exported[0] != expected[0])[clear].sum())
    if wrong_pixels:
        raise ModelError(f"the exported graph gives {wrong_pixels} pixels another class than torch")


def ports_of(path: Path, meanings: dict[str, str]) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
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
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    path = args.out / "fp32.onnx"
    facts = onnx_from_checkpoint(args.checkpoint, path)
    inputs, outputs = ports_of(path, MEANINGS)
    is_segmentation = facts["net"] != "quality"
    manifest = Manifest(
        schema=SCHEMA,
        name=args.name,
        task="segmentation" if is_segmentation else "quality",
        file=path.name,
        sha256=sha256_of(path),
        parent_sha256=sha256_of(args.checkpoint),
        precision="fp32",
        target="any",
        preprocess=PreprocessSpec(size_px=facts["size"]),
        inputs=inputs,
        outputs=outputs,
        classes=tuple(facts["classes"]) if is_segmentation else REGIONS,
        calibration_sha256="",
        evidence={"training_frames": facts["training_frames"], "epochs": len(facts["history"])},
        licence=args.licence,
        command=shlex.join(["echoedge", "export", *argv]),
        commit=current_commit(),
    )
    write_manifest(manifest, path.with_suffix(".json"))
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
