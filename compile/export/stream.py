"""Recurrent checkpoint to a one-frame ONNX file whose states are inputs and outputs: what `echoedge export` does for
RAL.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from edge.errors import ModelError
from edge.nets.backends.base import NEXT
from edge.nets.manifest import VIEW_OUTPUT
from edge.synth import SyntheticLoop
from train.checkpoint import load_checkpoint
from train.facts import Facts
from train.nets.pspnet_mk import upsample
from train.nets.ral import RAL
from train.ral.training import load_net

OPSET = 18
PARITY_FRAMES = 12
TOLERANCE = 1e-4


class StreamGraph(nn.Module):
    """One frame and the states: uint8 1 x 1 x H x W in, class map uint8 1 x H x W, view probabilities 1 x 3, states
    out.

    Without the classification branch there is no view; without the temporal branch there are no states.
    """

    def __init__(self, net: RAL) -> None:
        super().__init__()
        self.net = net

    @property
    def state_names(self) -> tuple[str, ...]:
        """y1, h1 … y5, h5: output and memory of each level's ConvLSTM, coarsest first."""
        levels = range(1, len(self.net.cells) + 1) if self.net.parts.temporal else ()
        return tuple(f"{kind}{k}" for k in levels for kind in "yh")

    @property
    def output_names(self) -> tuple[str, ...]:
        view = (VIEW_OUTPUT,) if self.net.parts.classification else ()
        return ("mask", *view, *(name + NEXT for name in self.state_names))

    def initial(self) -> tuple[torch.Tensor, ...]:
        """The states before the first frame, in the order of `state_names`."""
        if not self.net.parts.temporal:
            return ()
        return tuple(tensor for pair in self.net.initial_states(1) for tensor in pair)

    def forward(self, frame: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        before = tuple(zip(states[::2], states[1::2])) or self.net.initial_states(1)
        features = self.net.extract(frame.float() / 127.5 - 1)
        after = self.net.step(features, before)
        logits, views = self.net.answer(features, [y for y, _ in after])
        mask = upsample(logits, self.net.size).argmax(1).to(torch.uint8)
        view = () if views is None else (views.softmax(1),)
        return (mask, *view, *(tensor for pair in after if states for tensor in pair))


def meanings(graph: StreamGraph) -> dict[str, str]:
    """What each port of the exported file carries, in words."""
    ports = {
        "frame": "grey sector crop, 0-255",
        "mask": "class of each pixel",
        VIEW_OUTPUT: "probability of A2C, A3C and A4C",
    }
    for name in graph.state_names:
        kind = "output" if name[0] == "y" else "memory"
        ports[name] = f"{kind} of the frame before, ConvLSTM {name[1:]} (1 is the coarsest); zeros at the start"
        ports[name + NEXT] = f"{kind} of this frame, ConvLSTM {name[1:]}"
    return ports


def stream_from_checkpoint(
    checkpoint: Path, path: Path, frames: int = PARITY_FRAMES
) -> tuple[Facts, int, dict[str, str]]:
    """Export a checkpoint of `echoedge train ral`; (its facts, how many frames agreed with torch, the ports' meanings).

    The file is streamed over `frames` frames of a synthetic loop and compared with torch. Raises ModelError where they
    differ by more than TOLERANCE.
    """
    facts = load_checkpoint(checkpoint)[1]
    net = load_net(checkpoint)
    assert isinstance(net, RAL)
    graph = StreamGraph(net).eval()
    frame = torch.zeros(1, 1, net.size, net.size, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            (frame, *graph.initial()),
            dynamo=True,
            opset_version=OPSET,
            optimize=True,
            verbose=False,
            input_names=["frame", *graph.state_names],
            output_names=list(graph.output_names),
        )
    assert program is not None
    onnx.checker.check_model(program.model_proto, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    onnx.save(program.model_proto, temporary)
    try:
        worst = max(streamed_differences(graph, temporary, loop_frames(net.size, frames)))
        if worst > TOLERANCE:
            raise ModelError(f"the exported graph, streamed, differs from torch by {worst:.2g} (allowed {TOLERANCE:g})")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return facts, frames, meanings(graph)


def streamed_differences(graph: StreamGraph, path: Path, frames: Sequence[NDArray[np.uint8]]) -> list[float]:
    """Frame by frame, how far the file streamed through ONNX Runtime is from torch's run of the whole sequence.

    The largest difference of a logit (of the finest level's output, classified by torch) and of a view's probability; 1
    where a pixel has another class though torch's two best logits are further apart than TOLERANCE.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    states = {name: tensor.numpy() for name, tensor in zip(graph.state_names, graph.initial())}
    differences = []
    with torch.inference_mode():
        clip = torch.from_numpy(np.concatenate(frames)).float()[None] / 127.5 - 1
        logits, views, _ = graph.net(clip)
        for t, frame in enumerate(frames):
            found = dict(zip(graph.output_names, session.run(None, {"frame": frame, **states})))
            states = {name: found[name + NEXT] for name in states}
            best, classes = upsample(logits[:, t], graph.net.size).topk(2, dim=1)
            clear = ((best[0, 0] - best[0, 1]) > TOLERANCE).numpy()
            wrong = [float((found["mask"][0] != classes[0, 0].numpy())[clear].any())]
            if views is not None:
                wrong.append(float(np.abs(found[VIEW_OUTPUT] - views[0, t].softmax(0).numpy()).max()))
            if states:
                finest = torch.from_numpy(states[graph.state_names[-2]])
                wrong.append(float((graph.net.segment(finest) - logits[:, t]).abs().max()))
            differences.append(max(wrong))
    return differences


def loop_frames(size: int, count: int) -> list[NDArray[np.uint8]]:
    """The first frames of a synthetic loop as network inputs 1 x 1 x size x size uint8."""
    loop = SyntheticLoop(0, "A4C", size)
    return [loop.frame(number).image[None, None] for number in range(count)]
