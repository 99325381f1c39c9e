"""VGG: a fully convolutional network on VGG16 with three scales summed, FCN-8s (Shelhamer, Long, Darrell 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from train.nets.resnet import conv_bn

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""VGG16's channels and convolutions a block; each block ends in 2x2 max pooling."""


class VGGFCN(nn.Module):
    """VGG16 with batch norm, scores at strides 8, 16 and 32 summed.

    Input N x 1 x H x W float32 in [-1, 1]; output logits N x classes x H/8 x W/8. One 3x3 convolution stands for VGG's
    two fully connected layers, 120 M parameters that only ImageNet's weights would fill. Any size; `size` is not
    needed.
    """

    def __init__(self, classes: int = 4, size: int = 473) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        channels = 1
        for width, count in BLOCKS:
            layers: list[nn.Module] = []
            for _ in range(count):
                layers += [conv_bn(channels, width, 3), nn.ReLU()]
                channels = width
            self.blocks.append(nn.Sequential(*layers, nn.MaxPool2d(2)))
        self.bottom = nn.Sequential(conv_bn(512, 512, 3), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(512, classes, 1))
        self.score16, self.score8 = nn.Conv2d(512, classes, 1), nn.Conv2d(256, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        logits: torch.Tensor = self.bottom(maps[4])
        for finer, score in ((maps[3], self.score16), (maps[2], self.score8)):
            logits = F.interpolate(logits, size=finer.shape[2:], mode="bilinear", align_corners=True) + score(finer)
        return logits
