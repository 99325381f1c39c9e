"""End-to-end regional quality: MobileNetV2 with eight regression outputs (regional-quality paper, section 2.3.3)."""

from __future__ import annotations

import torch
from torch import nn

from train.nets.mobilenet_v2 import Trunk, conv_bn_relu6

REGION_COUNT = 8
MIDDLE_SCORE = 3.0


class QualityNet(nn.Module):
    """Input N x 1 x 256 x 256 float32 in [-1, 1]; output N x 8 scores (1 not visible … 5 excellent), unclipped.

    The order of the scores is `edge.regions.REGIONS`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(1)
        self.features = conv_bn_relu6(320, 1280, 1)
        self.dropout = nn.Dropout(0.2)
        self.scores = nn.Linear(1280, REGION_COUNT)
        nn.init.constant_(self.scores.bias, MIDDLE_SCORE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.features(self.trunk(x)[-1]).mean((2, 3))
        scores: torch.Tensor = self.scores(self.dropout(features))
        return scores
