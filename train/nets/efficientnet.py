"""EfficientNet-B0 (Tan and Le 2019), stem and stages, for the ablation of the quality net."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Row:
    """One stage of the paper's table 1."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


ROWS = (
    Row(1, 16, 1, 1, 3),
    Row(6, 24, 2, 2, 3),
    Row(6, 40, 2, 2, 5),
    Row(6, 80, 3, 2, 3),
    Row(6, 112, 3, 1, 5),
    Row(6, 192, 4, 2, 5),
    Row(6, 320, 1, 1, 3),
)
STEM, TOP = 32, 1280


def conv_bn_silu(channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, SiLU; "same" padding."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.SiLU(),
    )


class SqueezeExcitation(nn.Module):
    """Each channel times a gate that the mean of all channels opens (Hu et al. 2018)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.SiLU(), nn.Conv2d(hidden, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gated: torch.Tensor = x * self.gate(x.mean((2, 3), keepdim=True))
        return gated


class MBConv(nn.Module):
    """Expand, depthwise, squeeze and excite, project; identity shortcut where shapes allow."""

    def __init__(self, channels_in: int, row: Row, stride: int) -> None:
        super().__init__()
        hidden = channels_in * row.expansion
        layers: list[nn.Module] = [conv_bn_silu(channels_in, hidden, 1)] if row.expansion != 1 else []
        layers += [
            conv_bn_silu(hidden, hidden, row.kernel, stride, groups=hidden),
            SqueezeExcitation(hidden, max(1, channels_in // 4)),
            nn.Conv2d(hidden, row.channels, 1, bias=False),
            nn.BatchNorm2d(row.channels),
        ]
        self.layers = nn.Sequential(*layers)
        self.has_shortcut = stride == 1 and channels_in == row.channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return x + out if self.has_shortcut else out


class EfficientNetTrunk(nn.Module):
    """`stem` (stride 2) and `stages`, the last of which widens to 1280 channels; without the paper's stochastic
    depth.
    """

    def __init__(self, channels_in: int = 1) -> None:
        super().__init__()
        self.stem = conv_bn_silu(channels_in, STEM, 3, 2)
        self.stages = nn.ModuleList()
        channels = STEM
        for row in ROWS:
            blocks = []
            for index in range(row.blocks):
                blocks.append(MBConv(channels, row, row.stride if index == 0 else 1))
                channels = row.channels
            self.stages.append(nn.Sequential(*blocks))
        self.stages.append(conv_bn_silu(channels, TOP, 1))
