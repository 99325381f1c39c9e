"""U-Net++ (Zhou et al. 2018): a U-Net whose skip connections are dense chains of convolutions. No deep supervision."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from train.nets.unet import double_conv

WIDTHS = (16, 32, 64, 128, 256)
"""Half of our U-Net's, a quarter of the dense chains' cost: 2.3 M parameters."""


class UNetPlusPlus(nn.Module):
    """Input N x 1 x H x W float32 in [-1, 1], sides divisible by 16; output logits N x classes x H x W.

    Node (i, j) of the grid joins all nodes before it on its level with the upsampled node below.
    """

    def __init__(self, classes: int = 4, size: int = 256) -> None:
        super().__init__()
        self.size = size
        self.down = nn.ModuleList(double_conv(i, o) for i, o in zip((1, *WIDTHS), WIDTHS))
        self.nested = nn.ModuleList(
            nn.ModuleList(double_conv(j * WIDTHS[i] + WIDTHS[i + 1], WIDTHS[i]) for i in range(len(WIDTHS) - j))
            for j in range(1, len(WIDTHS))
        )
        self.classify = nn.Conv2d(WIDTHS[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels: list[list[torch.Tensor]] = []
        for index, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if index else x)
            levels.append([x])
        for column in self.nested:
            assert isinstance(column, nn.ModuleList)
            for i, block in enumerate(column):
                below = F.interpolate(levels[i + 1][-1], scale_factor=2, mode="bilinear", align_corners=False)
                levels[i].append(block(torch.cat([*levels[i], below], 1)))
        logits: torch.Tensor = self.classify(levels[0][-1])
        return logits
