"""End-to-end regional quality: MobileNetV2 with eight outputs, and its ablation (regional-quality paper, 2.3.3,
appendix B).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from edge.errors import DataError
from train.nets.cvc import WIDTHS, CVCTrunk
from train.nets.efficientnet import TOP, EfficientNetTrunk
from train.nets.mobilenet_v2 import Trunk, conv_bn_relu6

REGION_COUNT = 8
LEVEL_COUNT = 5
MIDDLE_SCORE = 3.0
FEATURES = 1280
BACKBONES: dict[str, tuple[Callable[[int], Trunk | EfficientNetTrunk | CVCTrunk], int]] = {
    "mobilenet-v2": (Trunk, FEATURES),
    "efficientnet": (EfficientNetTrunk, TOP),
    "cvc": (CVCTrunk, WIDTHS[-1]),
}
"""Name -> builder (input channels) of a module with `stem` (32 channels at half size) and `stages`, and its last
channels.
"""
HEADS = ("regression", "classification")
ATTENTIONS = ("none", "hard", "soft")
STEM_CHANNELS = 32
BLACK = -1.0


@dataclass(frozen=True)
class Variant:
    """One network of appendix B; the default is the paper's choice and the one that is shipped.

    Raises DataError for a name that is not known.
    """

    backbone: str = "mobilenet-v2"
    head: str = "regression"
    attention: str = "none"

    def __post_init__(self) -> None:
        for given, known in ((self.backbone, BACKBONES), (self.head, HEADS), (self.attention, ATTENTIONS)):
            if given not in known:
                raise DataError(f"'{given}' is not one of {', '.join(known)}")


class QualityNet(nn.Module):
    """Input N x 1 x 256 x 256 float32 in [-1, 1]; output N x 8 scores (1 not visible … 5 excellent), unclipped.

    The order of the scores is `edge.heart.regions.REGIONS`. A classifier returns logits N x 8 x 5 in training mode and
    the expected score in evaluation mode. With attention the second input `area` (N x 1 x 256 x 256 bool, a region's
    dilated mask) says which region is meant, and the output has one score: hard attention blacks out the rest, soft
    attention adds a map made from the area to the first layer's output (Eppel 2018, version c). Without an area it is
    the whole image.
    """

    def __init__(self, variant: Variant | None = None) -> None:
        super().__init__()
        variant = self.variant = variant or Variant()
        build, width = BACKBONES[variant.backbone]
        self.trunk = build(1)
        self.features: nn.Module = nn.Identity()
        if variant.backbone == "mobilenet-v2":
            self.features = conv_bn_relu6(320, FEATURES, 1)
        self.dropout = nn.Dropout(0.2)
        regions = REGION_COUNT if variant.attention == "none" else 1
        if variant.head == "regression":
            self.scores = nn.Linear(width, regions)
            nn.init.constant_(self.scores.bias, MIDDLE_SCORE)
        else:
            self.scores = nn.Linear(width, regions * LEVEL_COUNT)
        if variant.attention == "soft":
            self.attend = nn.Conv2d(1, STEM_CHANNELS, 3, 2, 1)
            nn.init.zeros_(self.attend.weight)  # starts as the network without attention
            assert self.attend.bias is not None
            nn.init.zeros_(self.attend.bias)
        self.frozen: tuple[nn.Module, ...] = ()

    def freeze(self, stages: int) -> None:
        """Keep the stem and the first `stages` stages bit for bit, statistics included, while the rest is trained."""
        self.frozen = (self.trunk.stem, *list(self.trunk.stages)[:stages]) if stages else ()
        for module in self.frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> QualityNet:
        """Training mode but for what is frozen."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def forward(self, x: torch.Tensor, area: torch.Tensor | None = None) -> torch.Tensor:
        if self.variant.attention == "hard" and area is not None:
            x = torch.where(area, x, torch.full_like(x, BLACK))
        x_map = self.trunk.stem(x)
        if self.variant.attention == "soft":
            x_map = x_map + self.attend(torch.ones_like(x) if area is None else area.to(x.dtype))
        for stage in self.trunk.stages:
            x_map = stage(x_map)
        scores: torch.Tensor = self.scores(self.dropout(self.features(x_map).mean((2, 3))))
        if self.variant.head == "regression":
            return scores
        logits = scores.unflatten(1, (-1, LEVEL_COUNT))
        return logits if self.training else expected_score(logits)


def expected_score(logits: torch.Tensor) -> torch.Tensor:
    """The mean level 1-5 of logits … x 5, float32."""
    levels = torch.arange(1, LEVEL_COUNT + 1, device=logits.device, dtype=torch.float32)
    return (logits.float().softmax(-1) * levels).sum(-1)
