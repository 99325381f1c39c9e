"""A cardiac view classification (CVC) network after Oestvik et al. 2019: dense inception blocks, for the quality
ablation.

The quality paper names the network without its widths. What is kept: inception blocks whose output is concatenated with
their input, 1x1 transitions with pooling between them, global average pooling.
"""

from __future__ import annotations

import torch
from torch import nn

STEM = 32
GROWTH = 32
"""Channels that each branch of an inception block adds."""
WIDTHS = (64, 128, 192, 256)


def conv_bn_relu(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU; "same" padding."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class DenseInception(nn.Module):
    """Branches of 1x1, 3x3 and twice 3x3 convolutions, concatenated with the input: channels + 3 GROWTH."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(conv_bn_relu(channels, GROWTH, 1), *(conv_bn_relu(GROWTH, GROWTH, 3) for _ in range(depth)))
            for depth in range(3)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, *(branch(x) for branch in self.branches)], 1)


class CVCTrunk(nn.Module):
    """`stem` (stride 2) and four `stages`, each pooling by 2, a dense inception block and a transition; 256
    channels.
    """

    def __init__(self, channels_in: int = 1) -> None:
        super().__init__()
        self.stem = conv_bn_relu(channels_in, STEM, 3, 2)
        self.stages = nn.ModuleList()
        channels = STEM
        for width in WIDTHS:
            transition = conv_bn_relu(channels + 3 * GROWTH, width, 1)
            self.stages.append(nn.Sequential(nn.MaxPool2d(2), DenseInception(channels), transition))
            channels = width
