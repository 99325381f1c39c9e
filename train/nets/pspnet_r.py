"""PSPNet-R: pyramid scene parsing on a dilated ResNet50 (Zhao et al. 2017), the PSPNet-MK paper's reference encoder."""

from __future__ import annotations

import torch
from torch import nn

from train.nets.pspnet_mk import PyramidPooling, check_size
from train.nets.resnet import ResNet, conv_bn


class PSPNetR(nn.Module):
    """Dilated ResNet50 with output stride 16, as the other two PSPNets have it; auxiliary head on the third stage.

    Input N x 1 x size x size float32 in [-1, 1]; output logits N x classes x size/16 x size/16 (ceil); in training mode
    the auxiliary map too. Raises ValueError for a size whose map does not divide by 6.
    """

    def __init__(self, classes: int = 4, size: int = 473) -> None:
        super().__init__()
        check_size(size)
        self.trunk = ResNet(50, dilated=True)
        self.pyramid = PyramidPooling(2048, 512)
        self.head = nn.Sequential(conv_bn(4096, 512, 3), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(512, classes, 1))
        self.auxiliary = nn.Sequential(conv_bn(1024, 256, 3), nn.ReLU(), nn.Dropout(0.1), nn.Conv2d(256, classes, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        maps = self.trunk(x)
        logits = self.head(self.pyramid(maps[4]))
        return (logits, self.auxiliary(maps[3])) if self.training else logits
