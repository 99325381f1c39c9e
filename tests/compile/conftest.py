"""Small networks with seeded random weights, exported once a session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from calib.choose import CalibrationSet, choose_frames
from calib.feed import FrameFeed
from calib.frames import Frame
from compile.export.command import main as export
from compile.quantize.precision import Quantizer
from train.checkpoint import save_checkpoint
from train.facts import Facts, FitConfig
from train.nets import NETS

SIZES = {"pspnet-mk": 89, "quality": 256}


def write_checkpoint(folder: Path, net: str) -> Path:
    torch.manual_seed(0)
    size = SIZES[net]
    model = NETS[net](4, size) if net == "pspnet-mk" else NETS[net]()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():  # batch norm learns its inputs, so that activations neither vanish nor explode
        model.train()(torch.rand(2, 1, size, size) * 2 - 1)
    classes = ("background", "LV", "myocardium", "LA")
    facts = Facts(net=net, size=size, classes=classes, training_frames=1, config=FitConfig(epochs=0))
    path = folder / f"{net}.safetensors"
    save_checkpoint(path, {f"ema.{n}": t for n, t in model.state_dict().items()}, facts)
    return path


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {net: write_checkpoint(folder, net) for net in SIZES}


@pytest.fixture(scope="session")
def folders(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model folders with an FP32 file; tests that write copy them."""
    made = {net: tmp_path_factory.mktemp(net) for net in SIZES}
    for net, path in checkpoints.items():
        assert export([str(path), "--name", net, "--out", str(made[net])]) == 0
    return made


def frames_of(size: int, count: int = 4) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (count, 1, 1, size // 8 + 1, size // 8 + 1), np.uint8)
    return [np.kron(f, np.ones((1, 1, 8, 8), np.uint8))[:, :, :size, :size].copy() for f in smooth]


def chosen_set(patient: str = "p1") -> CalibrationSet:
    """A calibration set of one frame."""
    frame = Frame(
        data="folder",
        source="a",
        patient=patient,
        view="A4C",
        phase="ED",
        vendor="",
        sha256="0" * 64,
        gain=50.0,
        contrast=0.5,
        depth_mm=None,
        histogram=(1.0,) + (0.0,) * 31,
    )
    return choose_frames([frame], 1, [])


@pytest.fixture(scope="session")
def quantizers(folders: dict[str, Path]) -> dict[str, Quantizer]:
    return {n: Quantizer(folders[n] / "fp32.onnx", FrameFeed("frame", frames_of(SIZES[n]))) for n in SIZES}
