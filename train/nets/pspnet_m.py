"""PSPNet-M: pyramid scene parsing on a plain MobileNetV2 (Wang, Aliman, Ibrahim 2025), the base that PSPNet-MK
improves.
"""

from __future__ import annotations

import torch
from torch import nn

from train.nets.mobilenet_v2 import STAGES, Stage, Trunk, conv_bn_relu6
from train.nets.pspnet_mk import PyramidPooling, check_size

M_STAGES = (*STAGES[:5], Stage(6, 160, 1, (1, 1, 1)), STAGES[6])
"""Conv6 at stride 1, as PSPNet-MK's, so that the two differ by dilation and blending alone."""


class PSPNetM(nn.Module):
    """PSPNet-MK without dilation and without blending Conv5 into Conv6.

    Input N x 1 x size x size float32 in [-1, 1]; output logits N x classes x size/16 x size/16 (ceil); in training mode
    the deep-supervision head's map on Conv5 too. Raises ValueError for a size whose map does not divide by 6.
    """

    def __init__(self, classes: int = 4, size: int = 473) -> None:
        super().__init__()
        check_size(size)
        self.trunk = Trunk(1, M_STAGES)
        self.pyramid = PyramidPooling(320, 80)
        self.head = nn.Sequential(conv_bn_relu6(640, 80, 3), nn.Conv2d(80, classes, 1))
        self.auxiliary = nn.Sequential(conv_bn_relu6(96, 48, 3), nn.Conv2d(48, classes, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        maps = self.trunk(x)
        logits = self.head(self.pyramid(maps[-1]))
        return (logits, self.auxiliary(maps[4])) if self.training else logits
