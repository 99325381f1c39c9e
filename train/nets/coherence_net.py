"""The coherence U-Net: B-mode picture to coherence image (regional-quality paper, table 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (16, 16, 32, 64, 128, 128, 128)
"""Channels from 256 x 256 down to 4 x 4. The paper gives the first, the lowest and the last."""


def double_conv_gelu(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch norm and GELU."""
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [nn.Conv2d(channels, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.GELU()]
    return nn.Sequential(*layers)


class CoherenceNet(nn.Module):
    """Input N x 1 x 256 x 256 float32 in [-1, 1]; output N x 1 x 256 x 256, coherence 0-1. Sizes must divide by 64."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(double_conv_gelu(i, o) for i, o in zip((1, *WIDTHS), WIDTHS))
        below = (WIDTHS[-1], *reversed(WIDTHS[1:-1]))
        self.up = nn.ModuleList(double_conv_gelu(b + skip, skip) for b, skip in zip(below, reversed(WIDTHS[:-1])))
        self.last = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = []
        for index, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if index else x)
            maps.append(x)
        for block, skip in zip(self.up, reversed(maps[:-1])):
            x = block(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], 1))
        return torch.sigmoid(self.last(x))
