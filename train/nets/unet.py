"""U-Net (Ronneberger et al. 2015) with "same" padding and batch norm, and the decoder that Res-U shares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from train.nets.resnet import conv_bn

WIDTHS = (32, 64, 128, 256, 512)
"""Half of Ronneberger's: 7.8 M parameters, which two CPU cores can train."""


def double_conv(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch norm and ReLU."""
    return nn.Sequential(
        conv_bn(channels_in, channels_out, 3), nn.ReLU(), conv_bn(channels_out, channels_out, 3), nn.ReLU()
    )


class Decoder(nn.Module):
    """From the deepest of `channels` up: resize to the next finer map, concatenate, convolve twice.

    Resizing to the finer map's own size lets any input size through.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        below = channels[-1]
        for skip, width in zip(reversed(channels[:-1]), widths):
            self.blocks.append(double_conv(below + skip, width))
            below = width

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        x = maps[-1]
        for block, skip in zip(self.blocks, reversed(maps[:-1])):
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=True)
            x = block(torch.cat([x, skip], 1))
        return x


class UNet(nn.Module):
    """Input N x 1 x H x W float32 in [-1, 1]; output logits N x classes x H x W. Any size is taken; `size` is not
    needed.
    """

    def __init__(self, classes: int = 4, size: int = 473) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(double_conv(i, o) for i, o in zip((1, *WIDTHS), WIDTHS))
        self.decoder = Decoder(WIDTHS, WIDTHS[-2::-1])
        self.classify = nn.Conv2d(WIDTHS[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = []
        for index, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if index else x)
            maps.append(x)
        logits: torch.Tensor = self.classify(self.decoder(maps))
        return logits
