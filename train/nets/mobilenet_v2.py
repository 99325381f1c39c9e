"""MobileNetV2 building blocks (Sandler et al. 2018), shared by PSPNet-M, PSPNet-MK and the quality net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Stage:
    """One row of MobileNetV2's table 2; `dilations` has one entry a block."""

    expansion: int
    channels: int
    stride: int
    dilations: tuple[int, ...]


STAGES = (
    Stage(1, 16, 1, (1,)),
    Stage(6, 24, 2, (1, 1)),
    Stage(6, 32, 2, (1, 1, 1)),
    Stage(6, 64, 2, (1, 1, 1, 1)),
    Stage(6, 96, 1, (1, 1, 1)),
    Stage(6, 160, 2, (1, 1, 1)),
    Stage(6, 320, 1, (1,)),
)
"""The plain network: output stride 32."""


def conv_bn_relu6(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU6; "same" padding for odd kernels."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU6(),
    )


class DepthwiseConv(nn.Conv2d):
    """3x3 depthwise convolution without bias, "same" padding.

    Trained on a CPU, a dilated one is computed as a plain one of the d x d pictures that every d-th pixel makes: the
    gradient of oneDNN's dilated depthwise convolution in bfloat16 takes twenty times as long (torch 2.13).
    """

    def __init__(self, channels: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(channels, channels, 3, stride, dilation, dilation, groups=channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        step = self.dilation[0]
        if step == 1 or self.stride[0] != 1 or not self.training or x.device.type != "cpu":
            return super().forward(x)
        count, channels, height, width = x.shape
        x = F.pad(x, (0, -width % step, 0, -height % step))
        rows, columns = x.shape[2] // step, x.shape[3] // step
        apart = x.reshape(count, channels, rows, step, columns, step).permute(3, 5, 0, 1, 2, 4).flatten(0, 2)
        out = F.conv2d(apart.contiguous(memory_format=torch.channels_last), self.weight, None, 1, 1, 1, self.groups)
        together = out.reshape(step, step, count, channels, rows, columns).permute(2, 3, 4, 0, 5, 1)
        whole = together.reshape(count, channels, rows * step, columns * step)[:, :, :height, :width]
        return whole.contiguous(memory_format=torch.channels_last)


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise 3x3 (strided or dilated), project 1x1 without activation; identity shortcut where shapes
    allow.

    NCHW float32 in and out. The paper's figure 5.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int, dilation: int = 1) -> None:
        super().__init__()
        hidden = channels_in * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += conv_bn_relu6(channels_in, hidden, 1)
        layers += [
            DepthwiseConv(hidden, stride, dilation),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        ]
        self.layers = nn.Sequential(*layers)
        self.has_shortcut = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return x + out if self.has_shortcut else out


class Trunk(nn.Module):
    """Stem and inverted-residual stages. `forward` returns the map after every stage, so a head can tap any of them."""

    def __init__(self, channels_in: int = 1, stages: Sequence[Stage] = STAGES) -> None:
        super().__init__()
        self.stem = conv_bn_relu6(channels_in, 32, 3, stride=2)
        channels = 32
        self.stages = nn.ModuleList()
        for stage in stages:
            blocks = []
            for index, dilation in enumerate(stage.dilations):
                stride = stage.stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, stage.channels, stride, stage.expansion, dilation))
                channels = stage.channels
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps
