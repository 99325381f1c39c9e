"""Echo-DND (Rahman et al. 2025): an echo image and two noisy masks to estimates of the left ventricle's mask.

Where the paper leaves gaps, docs/echo-dnd.md says how they are filled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from train.nets.fused_unet import FusedUNet
from train.nets.mfcm import MFCM, CalibrationHead, UNetConditioner
from train.nets.mobilenet_conditioner import PATCH, MobileNetConditioner

TRUNKS = {
    "twin": ("gaussian", "bernoulli"),
    "shared": ("shared",),
    "gaussian": ("gaussian",),
    "bernoulli": ("bernoulli",),
}
"""Which U-Nets there are: two as in the paper, one for both masks, or one alone (table 4)."""


@dataclass(frozen=True)
class EchoDNDConfig:
    """The network's shape.

    size: input side in px. widths: U-Net channels a level. attention_px: side of the maps on which GNEM and BNEM
    attend; a shared trunk takes the second. prediction: what the Gaussian head estimates, "v", "eps" or "x0"; its x0 is
    given as a logit. conditioner: "mfcm", or in its place "unet" or "mobilenet". learned_variance: the Gaussian head's
    second channel, which L_KL trains. latent: length of z, 0 for none.
    """

    size: int = 256
    widths: tuple[int, ...] = (128, 128, 256, 256, 512, 512)
    blocks: int = 2
    attention_px: tuple[int, int] = (16, 8)
    groups: int = 32
    mfcm_width: int = 32
    stem_width: int = 64
    patch: int = 1
    trunk: str = "twin"
    fusion: str = "additive"
    conditioner: str = "mfcm"
    prediction: str = "v"
    learned_variance: bool = True
    latent: int = 0


CONFIGS = {
    "paper": EchoDNDConfig(prediction="eps", fusion="cross"),
    "teacher": EchoDNDConfig(
        size=192,
        widths=(24, 48, 72, 96),
        blocks=1,
        attention_px=(12, 6),
        groups=8,
        mfcm_width=16,
        patch=PATCH,
        conditioner="mobilenet",
    ),
    "student": EchoDNDConfig(
        size=192,
        widths=(16, 32, 48, 64),
        blocks=1,
        attention_px=(12, 6),
        groups=4,
        mfcm_width=16,
        patch=PATCH,
        conditioner="mobilenet",
        trunk="shared",
        prediction="x0",
        learned_variance=False,
        latent=8,
    ),
}
"""The paper's full size; a teacher that a CPU can train; the student that runs beside the live loop. The last two read
the picture through PSPNet-MK's trunk, which can start from trained weights: docs/echo-dnd.md."""


class Encoded(NamedTuple):
    """What depends on the image alone: computed once, used at every step.

    features are F^0 ... F^3; calibrated is the SCC head's N x 1 x H x W estimate of the mask; prepared holds each
    U-Net's conditions by level.
    """

    image: torch.Tensor
    features: list[torch.Tensor]
    calibrated: torch.Tensor
    prepared: dict[str, list[list[torch.Tensor]]]


class Estimate(NamedTuple):
    """One step's outputs, None where the branch is absent. gaussian: N x 1 x H x W in the config's `prediction`.

    variance: N x 1 x H x W in [-1, 1], from the posterior's (-1) to beta (1). bernoulli: logit of x_0.
    """

    gaussian: torch.Tensor | None
    variance: torch.Tensor | None
    bernoulli: torch.Tensor | None


def _conditioner(config: EchoDNDConfig) -> MFCM | UNetConditioner | MobileNetConditioner:
    if config.conditioner == "mfcm":
        return MFCM(config.mfcm_width, config.stem_width, config.patch)
    if config.conditioner == "unet":
        return UNetConditioner(config.mfcm_width, config.patch)
    if config.patch != PATCH:
        raise ValueError(
            f"MobileNetV2 conditions at a quarter of the picture's side: patch {PATCH}, not {config.patch}"
        )
    return MobileNetConditioner(config.mfcm_width)


class EchoDND(nn.Module):
    """MFCM and SCC head over the image; GNEM and BNEM over the noisy masks. Raises ValueError for a size it cannot
    halve.
    """

    def __init__(self, config: EchoDNDConfig) -> None:
        super().__init__()
        self.config = config
        step = config.patch << (max(len(config.widths), 4) - 1)
        if config.size < step or config.size % step:
            raise ValueError(f"Echo-DND halves its maps: a size of {config.size} px is not a multiple of {step}")
        self.conditioner = _conditioner(config)
        self.calibrate = CalibrationHead(self.conditioner.channels, config.patch)
        self.unets = nn.ModuleDict({name: self._unet(name) for name in TRUNKS[config.trunk]})

    def _unet(self, name: str) -> FusedUNet:
        config = self.config
        gaussian, bernoulli = name in ("gaussian", "shared"), name in ("bernoulli", "shared")
        side = config.attention_px[0 if name == "gaussian" else 1]
        level = (config.size // config.patch // side).bit_length() - 1
        return FusedUNet(
            1 + gaussian + bernoulli,
            gaussian * (1 + config.learned_variance) + bernoulli,
            config.widths,
            config.blocks,
            level,
            config.groups,
            self.conditioner.channels,
            config.fusion,
            config.patch,
            config.latent,
        )

    def encode(self, image: torch.Tensor) -> Encoded:
        """image N x 1 x H x W float32 in [-1, 1]."""
        features = self.conditioner(image)
        prepared = {name: unet.prepare(features) for name, unet in self.unets.items()}  # type: ignore[operator]
        return Encoded(image, features, self.calibrate(features), prepared)

    def denoise(
        self, encoded: Encoded, x_g: torch.Tensor, x_b: torch.Tensor, t: torch.Tensor, z: torch.Tensor | None = None
    ) -> Estimate:
        """One step from the states x_g (Gaussian, N x 1 x H x W) and x_b (Bernoulli, likewise, 0 or 1); t N; z N x
        latent.
        """
        gaussian = bernoulli = None
        for name, unet in self.unets.items():
            states = [x_g] * (name != "bernoulli") + [2 * x_b - 1] * (name != "gaussian")
            out = unet(torch.cat([encoded.image, *states], 1), encoded.prepared[name], t, z)
            if name != "bernoulli":
                gaussian, out = out[:, : 1 + self.config.learned_variance], out[:, 1 + self.config.learned_variance :]
            if name != "gaussian":
                bernoulli = out
        if gaussian is None or not self.config.learned_variance:
            return Estimate(gaussian, None, bernoulli)
        return Estimate(gaussian[:, :1], gaussian[:, 1:].tanh(), bernoulli)

    def forward(
        self, image: torch.Tensor, x_g: torch.Tensor, x_b: torch.Tensor, t: torch.Tensor, z: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Estimate]:
        """(SCC head's estimate, one step's outputs) for training."""
        encoded = self.encode(image)
        return encoded.calibrated, self.denoise(encoded, x_g, x_b, t, z)
