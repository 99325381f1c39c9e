"""An Echo-DND small enough for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from train.checkpoint import save_checkpoint
from train.facts import Facts, FitConfig
from train.nets.echo_dnd import EchoDND, EchoDNDConfig

TINY = EchoDNDConfig(
    size=32, widths=(8, 8, 16, 16), blocks=1, attention_px=(4, 2), groups=4, mfcm_width=4, stem_width=4, patch=2
)
TINY_MOBILENET = replace(TINY, conditioner="mobilenet", patch=4)
TINY_STUDENT = EchoDNDConfig(
    size=32,
    widths=(8, 8, 8, 8),
    blocks=1,
    attention_px=(4, 2),
    groups=4,
    mfcm_width=4,
    stem_width=4,
    patch=2,
    trunk="shared",
    prediction="x0",
    learned_variance=False,
    latent=3,
)


def lively(config: EchoDNDConfig, seed: int = 0) -> EchoDND:
    """An untrained network whose zero-initialised outputs were drawn, so that it says something."""
    torch.manual_seed(seed)
    net = EchoDND(config)
    for unet in net.unets.values():
        torch.nn.init.normal_(unet.unet.conv_out.weight, 0, 0.5)
    return net.eval()


def write(path: Path, config: EchoDNDConfig, seed: int = 0) -> Path:
    """A checkpoint of a lively network."""
    facts = Facts(
        net="echo-dnd",
        size=config.size,
        classes=("background", "LV"),
        architecture=config,
        training_frames=1,
        config=FitConfig(epochs=0),
    )
    save_checkpoint(path, {f"ema.{n}": t for n, t in lively(config, seed).state_dict().items()}, facts)
    return path
