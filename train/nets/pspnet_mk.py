"""PSPNet-MK: pyramid scene parsing on an improved MobileNetV2 (Wang, Aliman, Ibrahim 2025): what the runtime ships."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from train.nets.mobilenet_v2 import STAGES, Stage, Trunk, conv_bn_relu6

BINS = (1, 2, 3, 6)
OUTPUT_STRIDE = 16
MK_STAGES = (*STAGES[:5], Stage(6, 160, 1, (2, 3, 5)), STAGES[6])
"""Conv6 (160 channels) at stride 1 with hybrid dilation 2, 3, 5: output stride 16."""


def check_size(size: int) -> None:
    """Raise ValueError, naming the nearest good sizes, unless the feature map divides by every pyramid bin.

    Adaptive pooling exports as plain average pooling only when the map is divisible by 1, 2, 3 and 6.
    """
    cells = -(-size // OUTPUT_STRIDE)
    if cells % 6 == 0:
        return
    lower = max(6, cells - cells % 6)
    good = [OUTPUT_STRIDE * (n - 1) + 9 for n in (lower, lower + 6)]
    raise ValueError(
        f"input size {size} gives a {cells}x{cells} map, which pyramid pooling cannot divide by 6; "
        f"use {good[0]} or {good[1]}"
    )


class PyramidPooling(nn.Module):
    """Average-pool to 1, 2, 3 and 6 bins, reduce each 1x1, upsample and concatenate with the map (figure 2)."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), conv_bn_relu6(channels, reduced, 1)) for bins in BINS
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.shape[2:]
        pooled = [F.interpolate(branch(x), size=size, mode="bilinear", align_corners=True) for branch in self.branches]
        return torch.cat([x, *pooled], 1)


class PSPNetMK(nn.Module):
    """Segment an echo frame.

    Input N x 1 x size x size float32 in [-1, 1]; output logits N x classes x size/16 x size/16 (ceil), to be
    upsampled by `upsample`. In training mode a second map, the deep-supervision head on Conv5, is returned too.
    Conv5's 96 channels are projected and added to Conv6's ("blended and superimposed", figure 4).
    Raises ValueError for a size whose map does not divide by 6.
    """

    def __init__(self, classes: int = 4, size: int = 473) -> None:
        super().__init__()
        check_size(size)
        self.trunk = Trunk(1, MK_STAGES)
        self.blend = nn.Sequential(nn.Conv2d(96, 160, 1, bias=False), nn.BatchNorm2d(160))
        self.pyramid = PyramidPooling(320, 80)
        self.head = nn.Sequential(conv_bn_relu6(640, 80, 3), nn.Conv2d(80, classes, 1))
        self.auxiliary = nn.Sequential(conv_bn_relu6(96, 48, 3), nn.Conv2d(48, classes, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        x = self.trunk.stem(x)
        for stage in self.trunk.stages[:5]:
            x = stage(x)
        conv5 = x
        conv6 = self.trunk.stages[5](conv5) + self.blend(conv5)
        logits = self.head(self.pyramid(self.trunk.stages[6](conv6)))
        return (logits, self.auxiliary(conv5)) if self.training else logits


def upsample(logits: torch.Tensor, size: int) -> torch.Tensor:
    """Bilinear upsampling of logits N x C x h x w to N x C x size x size, corners aligned."""
    return F.interpolate(logits, size=(size, size), mode="bilinear", align_corners=True)
