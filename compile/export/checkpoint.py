"""A checkpoint of one frame's network to ONNX, compared with torch before it gets its name."""

from __future__ import annotations

import itertools
import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn

from compile.export import tracing
from edge.errors import ModelError
from edge.preprocess import PreprocessSpec, preprocess
from edge.screen.sector import find_sector
from train.checkpoint import load_checkpoint, weights_of
from train.data import open_data
from train.facts import Facts
from train.nets import NETS
from train.nets.pspnet_mk import OUTPUT_STRIDE, upsample

OPSET, LEGACY_OPSET = 18, tracing.OPSET
PARITY_FRAMES = 8


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
        classes: torch.Tensor = upsampled.argmax(1).to(torch.uint8)
        return classes


class QualityGraph(nn.Module):
    """uint8 N1HW in, eight scores float32 N x 8 out, clipped to 1-5."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.net(frame.float() / 127.5 - 1).clamp(1, 5)
        return scores


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
