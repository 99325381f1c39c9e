"""Res-U: U-Net whose encoder is a ResNet34 (PSPNet-MK paper, table 1 and figure 3; after Ali et al. 2021)."""

from __future__ import annotations

import torch
from torch import nn

from train.nets.resnet import ResNet
from train.nets.unet import Decoder

DECODER_WIDTHS = (256, 128, 64, 32)


class ResU(nn.Module):
    """Input N x 1 x H x W float32 in [-1, 1]; output logits N x classes x H/2 x W/2 (ceil). Any size; `size` is not
    needed.
    """

    def __init__(self, classes: int = 4, size: int = 473) -> None:
        super().__init__()
        self.trunk = ResNet(34)
        self.decoder = Decoder(self.trunk.channels, DECODER_WIDTHS)
        self.classify = nn.Conv2d(DECODER_WIDTHS[-1], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classify(self.decoder(self.trunk(x)))
        return logits
