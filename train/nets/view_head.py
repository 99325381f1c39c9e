"""The view head: plane and orientation of a picture from the quality network's feature maps, which stay as they are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from edge.heart.plane import PLANES

FINE_CHANNELS, COARSE_CHANNELS = 96, 160
"""Channels of the feature maps at a sixteenth (16 x 16) and at a thirty-second (8 x 8) of the picture's side."""
WIDTH = 96
GRID = 4


class ViewHead(nn.Module):
    """Input N x 96 x 16 x 16 and N x 160 x 8 x 8 float32; output N x 11 logits.

    The first len(PLANES) are those of the planes, the last two those of mirrored and upside down. A grid of 4 x 4 is
    kept to the end, so that left is told from right and top from bottom.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Conv2d(FINE_CHANNELS + COARSE_CHANNELS, WIDTH, 1), nn.ReLU())
        self.grid = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, 2, 1), nn.ReLU())
        self.out = nn.Sequential(nn.Dropout(0.4), nn.Linear(WIDTH * GRID * GRID, len(PLANES) + 2))

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        x = self.grid(self.mix(torch.cat([F.avg_pool2d(fine, 2), coarse], 1)))
        logits: torch.Tensor = self.out(x.flatten(1))
        return logits


class ViewOutputs(nn.Module):
    """A head whose outputs are probabilities: N x len(PLANES) of the planes, N x 1 mirrored, N x 1 upside down."""

    def __init__(self, head: ViewHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits = self.head(fine, coarse)
        count = len(PLANES)
        turns = logits[:, count:].sigmoid()
        return logits[:, :count].softmax(1), turns[:, :1], turns[:, 1:]
