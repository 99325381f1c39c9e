"""ResNet encoders (He et al. 2016), ResNet34 and ResNet50, with dilation in place of stride where a head asks for
it.
"""

from __future__ import annotations

import torch
from torch import nn

BLOCKS = {34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)


def conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution without bias and batch norm; "same" padding for odd kernels."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2 * dilation, dilation, bias=False),
        nn.BatchNorm2d(channels_out),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions (expansion 1) or 1x1, 3x3, 1x1 (expansion 4), shortcut projected where shapes differ."""

    def __init__(self, channels_in: int, width: int, expansion: int, stride: int, dilation: int) -> None:
        super().__init__()
        channels_out = width * expansion
        if expansion == 1:
            self.layers = nn.Sequential(
                conv_bn(channels_in, width, 3, stride, dilation), nn.ReLU(), conv_bn(width, width, 3, 1, dilation)
            )
        else:
            self.layers = nn.Sequential(
                conv_bn(channels_in, width, 1),
                nn.ReLU(),
                conv_bn(width, width, 3, stride, dilation),
                nn.ReLU(),
                conv_bn(width, channels_out, 1),
            )
        same = stride == 1 and channels_in == channels_out
        self.shortcut = nn.Identity() if same else conv_bn(channels_in, channels_out, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layers(x) + self.shortcut(x))


class ResNet(nn.Module):
    """`forward` returns the map of the stem (stride 2) and of the four stages (strides 4, 8, 16 and 32, or 16 if
    dilated).

    depth 34 has 64-512 channels, depth 50 has 256-2048. With `dilated` the last stage keeps stride 16 and dilates by 2.
    """

    def __init__(self, depth: int, channels_in: int = 1, dilated: bool = False) -> None:
        super().__init__()
        expansion = 4 if depth == 50 else 1
        self.stem = nn.Sequential(*conv_bn(channels_in, 64, 7, 2), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.channels = (64, *(width * expansion for width in WIDTHS))
        self.stages = nn.ModuleList()
        channels = 64
        for index, (width, count) in enumerate(zip(WIDTHS, BLOCKS[depth])):
            dilation = 2 if dilated and index == 3 else 1
            stride = 1 if index == 0 or dilation > 1 else 2
            blocks = []
            for block in range(count):
                blocks.append(Residual(channels, width, expansion, stride if block == 0 else 1, dilation))
                channels = width * expansion
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = [self.stem(x)]
        x = self.pool(maps[0])
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
