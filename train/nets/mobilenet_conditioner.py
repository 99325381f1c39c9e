"""MobileNetV2 in the place of Echo-DND's HRNet: a conditioning module that can start from a trained segmentation
network.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from train.nets.mobilenet_v2 import Trunk
from train.nets.pspnet_mk import MK_STAGES
from train.nets.resnet import conv_bn

PATCH = 4
"""F^0 is a quarter of the picture's side: the trunk's finest map that is worth reading."""
TAPS = (1, 2, 4, 5)
"""Stages that are read: 24 channels at 1/4, 32 at 1/8, 96 and 160 at 1/16."""


class MobileNetConditioner(nn.Module):
    """F^0 ... F^3 from PSPNet-MK's trunk up to Conv6, merged from coarse to fine as a U-Net's decoder does.

    Input N x 1 x H x W float32 in [-1, 1]; output maps of width, 2, 4 and 8 times width channels at 1/4, 1/8, 1/16 and
    1/32. H and W must divide by 32. `train.initialise.load_trunk` starts the trunk from PSPNet-MK or from ImageNet.
    """

    patch = PATCH

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width, 8 * width)
        self.trunk = Trunk(1, MK_STAGES[: TAPS[-1] + 1])
        fine, middle, conv5, conv6 = (MK_STAGES[k].channels for k in TAPS)
        w0, w1, w2, w3 = self.channels
        self.merge2 = nn.Sequential(conv_bn(conv5 + conv6, w2, 1), nn.ReLU())
        self.merge1 = nn.Sequential(conv_bn(middle + w2, w1, 3), nn.ReLU())
        self.merge0 = nn.Sequential(conv_bn(fine + w1, w0, 3), nn.ReLU())
        self.coarser = nn.Sequential(conv_bn(w2, w3, 3, 2), nn.ReLU())

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        maps = self.trunk(image)
        fine, middle, conv5, conv6 = (maps[k] for k in TAPS)
        f2 = self.merge2(torch.cat([conv5, conv6], 1))
        f1 = self.merge1(torch.cat([middle, _doubled(f2)], 1))
        f0 = self.merge0(torch.cat([fine, _doubled(f1)], 1))
        return [f0, f1, f2, self.coarser(f2)]


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
