"""Echo-DND to two ONNX graphs for `edge.refine.refiner`: an encoder, and a denoiser with its steps unrolled and its
noise as inputs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from compile.export.tracing import traced
from edge.errors import ModelError
from edge.nets.artefacts import DENOISER, ENCODER
from edge.refine.noise import UNIFORM_PREFIX
from edge.refine.refiner import COARSE, REFINED
from train.diffusion.sample import Noise, sample
from train.diffusion.schedule import student_grid
from train.echo_dnd import load_echo_dnd
from train.nets.echo_dnd import EchoDND, Encoded

ENCODER_FILE, DENOISER_FILE = "encoder-fp32.onnx", "denoiser-fp32.onnx"
MOST_DIFFERENT = 1e-3
"""Share of pixels that may differ from torch by more than 1e-3: a coin whose chance ties with its noise may fall
otherwise.
"""
MEANINGS = {
    "frame": "grey sector crop, 0-255",
    COARSE: "the SCC head's probability of the LV",
    REFINED: "probability of the LV after the last step, mean of both branches",
    "x_g": "Gaussian start, standard normal",
    "x_b": "Bernoulli start, 0 or 1",
    "z": "global latent, standard normal",
}


def normalised(frame: torch.Tensor) -> torch.Tensor:
    return frame.float() / 127.5 - 1


class EncoderGraph(nn.Module):
    """uint8 N1HW in; COARSE and the conditions of every U-Net and level out."""

    def __init__(self, net: EchoDND) -> None:
        super().__init__()
        self.net = net

    def forward(self, frame: torch.Tensor) -> tuple[torch.Tensor, ...]:
        encoded = self.net.encode(normalised(frame))
        return encoded.calibrated.clamp(0, 1), *flat(encoded).values()


class DenoiserGraph(nn.Module):
    """Frame, conditions and noise in; the last step's probability out. The grid's timesteps are constants."""

    def __init__(self, net: EchoDND, grid: Sequence[int], names: Sequence[str]) -> None:
        super().__init__()
        self.net, self.grid, self.names = net, tuple(grid), tuple(names)

    def forward(self, frame: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        given = dict(zip(self.names, rest))
        prepared: dict[str, list[list[torch.Tensor]]] = {}
        for name, value in given.items():
            if name.startswith("c_"):
                _, unet, level, _ = name.split("_")
                levels = prepared.setdefault(unet, [])
                if int(level) == len(levels):
                    levels.append([])
                levels[-1].append(value)
        uniforms = tuple(v for n, v in given.items() if n.startswith(UNIFORM_PREFIX))
        noise = Noise(given["x_g"], given["x_b"], uniforms, given.get("z"))
        image = normalised(frame)
        return sample(self.net, Encoded(image, [], image, prepared), self.grid, noise).mean()


def flat(encoded: Encoded) -> dict[str, torch.Tensor]:
    """The conditions by name: c_UNET_LEVEL_INDEX."""
    return {
        f"c_{unet}_{level}_{index}": value
        for unet, levels in encoded.prepared.items()
        for level, values in enumerate(levels)
        for index, value in enumerate(values)
    }


def example_inputs(net: EchoDND, steps: int, seed: int = 0) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """A random frame, and the denoiser's other inputs in order: conditions, then noise."""
    size = net.config.size
    generator = torch.Generator().manual_seed(seed)
    frame = torch.randint(0, 256, (1, 1, size, size), generator=generator, dtype=torch.uint8)
    with torch.inference_mode():
        given = flat(net.encode(normalised(frame)))
    given["x_g"] = torch.randn(1, 1, size, size, generator=generator)
    given["x_b"] = (torch.rand(1, 1, size, size, generator=generator) < 0.5).float()
    for index in range(1, steps):
        given[f"{UNIFORM_PREFIX}{index}"] = torch.rand(1, 1, size, size, generator=generator)
    if net.config.latent:
        given["z"] = torch.randn(1, net.config.latent, generator=generator)
    return frame, given


def onnx_from_echo_dnd(checkpoint: Path, folder: Path, steps: int) -> dict[str, Path]:
    """Write both graphs into `folder` and return their paths by task (`edge.nets.artefacts.ENCODER`, `DENOISER`).

    Raises ModelError where ONNX Runtime differs from torch: by more than 1e-4 in the encoder, or by more than 1e-3 in
    more than MOST_DIFFERENT of the denoiser's pixels.
    """
    net = load_echo_dnd(checkpoint)
    grid = student_grid(steps)
    frame, given = example_inputs(net, steps)
    conditions = [name for name in given if name.startswith("c_")]
    encoder, denoiser = EncoderGraph(net).eval(), DenoiserGraph(net, grid, tuple(given)).eval()
    folder.mkdir(parents=True, exist_ok=True)
    paths = {ENCODER: folder / ENCODER_FILE, DENOISER: folder / DENOISER_FILE}
    temporary = {task: path.with_name(path.name + ".part") for task, path in paths.items()}
    try:
        onnx.save(traced(encoder, (frame,), ["frame"], [COARSE, *conditions]), temporary[ENCODER])
        onnx.save(traced(denoiser, (frame, *given.values()), ["frame", *given], [REFINED]), temporary[DENOISER])
        _check(encoder, denoiser, temporary, net, steps)
        for task, path in paths.items():
            os.replace(temporary[task], path)
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
    return paths


def meanings_of(path: Path) -> dict[str, str]:
    """What each port of an exported file means, conditions and uniform noise among them."""
    graph = onnx.load(path, load_external_data=False).graph
    known = dict(MEANINGS)
    for name in (value.name for value in (*graph.input, *graph.output)):
        if name.startswith("c_"):
            known[name] = "condition of the U-Net '{}' at level {}".format(*name.split("_")[1:3])
        elif name.startswith(UNIFORM_PREFIX):
            known[name] = f"uniform noise behind step {name.removeprefix(UNIFORM_PREFIX)}"
    return known


def _check(encoder: nn.Module, denoiser: nn.Module, paths: Mapping[str, Path], net: EchoDND, steps: int) -> None:
    sessions = {
        task: onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for task, path in paths.items()
    }
    for seed in (1, 2):
        frame, given = example_inputs(net, steps, seed)
        with torch.inference_mode():
            expected = encoder(frame)
            refined = denoiser(frame, *given.values())
        found = sessions[ENCODER].run(None, {"frame": frame.numpy()})
        worst = max(float(np.abs(f - e.numpy()).max()) for f, e in zip(found, expected))
        if worst > 1e-4 * max(1.0, max(float(e.abs().max()) for e in expected)):
            raise ModelError(f"the exported encoder differs from torch by {worst:.2g} (allowed 1e-4)")
        feed = {"frame": frame.numpy(), **{name: value.numpy() for name, value in given.items()}}
        differs = np.abs(sessions[DENOISER].run(None, feed)[0] - refined.numpy()) > 1e-3
        if differs.mean() > MOST_DIFFERENT:
            raise ModelError(f"the exported denoiser differs from torch in {differs.mean():.2%} of the pixels")
