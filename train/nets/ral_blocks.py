"""What RAL is made of: dilated dense ConvBlocks, a ConvLSTM with a memory from below and from before, the view
branch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from edge.heart.view import VIEWS
from train.nets.resnet import conv_bn

LAYERS = 6
"""Convolutions of a ConvBlock (section 3 of the paper)."""
RETENTION = 0.8
"""The most of a memory that a frame hands on. The paper has no bound, and trains on the streams that it is used on. A
live stream has no end: without one, small differences grew a thousandfold over a hundred frames and old errors
stayed."""


def bn_relu_conv(channels_in: int, channels_out: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    """Batch norm, ReLU, convolution that keeps the size: D of equation (1)."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False)
    return nn.Sequential(nn.BatchNorm2d(channels_in), nn.ReLU(), conv)


class ConvBlock(nn.Module):
    """Six densely connected dilated convolutions (equation 1), then the transition's 1x1 convolution.

    N x channels x h x w to N x channels_out x h x w; the transition's pooling is left to the caller.
    """

    def __init__(self, channels: int, growth: int, channels_out: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(bn_relu_conv(channels + k * growth, growth, 3, dilation) for k in range(LAYERS))
        self.transition = bn_relu_conv(channels + LAYERS * growth, channels_out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        features: torch.Tensor = self.transition(x)
        return features


def enlarged(x: torch.Tensor, size: int) -> torch.Tensor:
    """B of equation (2): bilinear upsampling of N x C x h x w to N x C x size x size."""
    if x.shape[-1] == size:
        return x
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


class ConvLSTM(nn.Module):
    """One level's ConvLSTM, equations (2)-(4): output y and memory h from the features, the coarser level and the frame
    before.

    Shi et al.'s cell carries two maps, its output and its memory: they are read as the paper's y and h. The two
    memories of equation (3), of the coarser level and of the frame before, each have a forget gate of their own, so
    that neither has to be folded into the other's channels by a product that a long stream would repeat without end.
    What came before fades by RETENTION, and what comes from below passes a tanh as what is written does: |h| stays
    under 2 / (1 - RETENTION), and a small difference in a coarse memory is not enlarged from level to level. `below` is
    the coarser level's number of channels, 0 at the coarsest; without `spatial` only its output is taken.
    """

    def __init__(self, features: int, below: int, hidden: int, spatial: bool) -> None:
        super().__init__()
        self.spatial = bool(below) and spatial
        self.gates = nn.Conv2d(features + below + hidden, (5 if self.spatial else 4) * hidden, 3, padding=1)
        self.lift = nn.Conv2d(below, hidden, 1, bias=False) if self.spatial else None
        with torch.no_grad():  # to remember is the start (Jozefowicz et al. 2015)
            assert self.gates.bias is not None
            self.gates.bias[hidden : 2 * hidden] = 1.0

    def forward(
        self,
        features: torch.Tensor,
        below: tuple[torch.Tensor, torch.Tensor] | None,
        before: tuple[torch.Tensor, torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(y, h) N x hidden x h x w float32 of this frame; `below` and `before` are (y, h) too, `below` at its own
        size.
        """
        size = features.shape[-1]
        y_before, h_before = before
        inputs = [features, y_before.to(features.dtype)]
        if below is not None:
            inputs.insert(1, enlarged(below[0], size).to(features.dtype))
        # The memory is summed over a whole stream: it stays float32 under mixed precision.
        gates = self.gates(torch.cat(inputs, 1)).float().chunk(5 if self.spatial else 4, 1)
        write, keep, show = (gate.sigmoid() for gate in gates[:3])
        h = RETENTION * keep * h_before + write * gates[3].tanh()
        if self.spatial:
            assert below is not None
            assert self.lift is not None
            h = h + gates[4].sigmoid() * enlarged(self.lift(below[1]).float().tanh(), size)
        return show * h.tanh(), h


class ViewBranch(nn.Module):
    """The classification branch: the last ConvBlock's features go down through convolution and pooling to one cell, and
    at each step one level's spatio-temporal features, coarsest first, are pooled to the same size and aggregated."""

    def __init__(self, features: int, hidden: Sequence[int], width: int) -> None:
        super().__init__()
        inputs = [features + hidden[0], *(width + h for h in hidden[1:])]
        self.steps = nn.ModuleList(nn.Sequential(conv_bn(channels, width, 3), nn.ReLU()) for channels in inputs)
        self.classify = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, len(VIEWS)))

    def forward(self, features: torch.Tensor, outputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """Logits N x 3 from N x C x h x h features and each level's output y, coarsest first."""
        x = features
        for k, (step, y) in enumerate(zip(self.steps, outputs)):
            if k and x.shape[-1] > 1:
                x = F.max_pool2d(x, 2)
            window = y.shape[-1] // x.shape[-1]
            x = step(torch.cat([x, F.avg_pool2d(y, window).to(x.dtype)], 1))
        logits: torch.Tensor = self.classify(x.amax((2, 3)))
        return logits
