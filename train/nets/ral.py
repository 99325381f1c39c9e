"""RAL: recurrent aggregation learning for multi-view echo sequences (Li et al. 2019): segmentation and view of each
frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from train.nets.ral_blocks import ConvBlock, ConvLSTM, ViewBranch
from train.nets.unet import double_conv

DILATIONS = (1, 1, 2, 4, 8)
States = tuple[tuple[torch.Tensor, torch.Tensor], ...]
"""(y, h) of each level, coarsest first; N x hidden x h x w float32."""


@dataclass(frozen=True)
class Widths:
    """Channels of the stem, and of each level from the finest: growth of its ConvBlock, its features, its ConvLSTM.

    `strides` are the levels' strides against the input.
    """

    stem: int
    growth: tuple[int, ...]
    features: tuple[int, ...]
    hidden: tuple[int, ...]
    strides: tuple[int, ...]
    view: int


FULL = Widths(16, (12, 16, 24, 32, 32), (24, 48, 96, 128, 128), (16, 32, 48, 64, 64), (1, 2, 4, 8, 16), 64)
SMALL = Widths(16, (4, 8, 16, 32, 32), (16, 32, 64, 96, 96), (8, 16, 32, 48, 48), (2, 4, 8, 16, 16), 32)
"""The small one starts at stride 2 and pools once less: a dilation of 8 needs a map of 16 x 16."""


@dataclass(frozen=True)
class Parts:
    """What table 2 switches off, one at a time."""

    classification: bool = True
    conv_block: bool = True
    temporal: bool = True
    spatial: bool = True


def parts_without(names: Sequence[str]) -> Parts:
    """All parts but those named, such as ["temporal"]. ValueError for an unknown name."""
    known = [field.name for field in fields(Parts)]
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"'{unknown[0]}' is not a part of RAL; the parts are {', '.join(known)}")
    return Parts(**dict.fromkeys(names, False))


class RAL(nn.Module):
    """Segment and classify the frames of a clip, one after the other.

    Input N x T x 1 x size x size float32 in [-1, 1]; output logits N x T x classes x h x h (the finest level's map, to
    be upsampled), view logits N x T x 3 in the order of VIEWS (None without the classification branch), and the states
    behind the last frame. Raises ValueError for a size that is not a power of two from 64 up.
    """

    def __init__(self, classes: int = 4, size: int = 256, widths: Widths = FULL, parts: Parts = Parts()) -> None:
        super().__init__()
        if size < 64 or size & (size - 1):
            raise ValueError(f"input size {size} cannot be halved down to one cell; use 128, 256 or 512")
        self.size, self.widths, self.parts = size, widths, parts
        self.stem = nn.Conv2d(1, widths.stem, 3, stride=widths.strides[0], padding=1)
        channels = (widths.stem, *widths.features[:-1])
        self.blocks = nn.ModuleList(
            ConvBlock(i, g, o, d) if parts.conv_block else double_conv(i, o)
            for i, g, o, d in zip(channels, widths.growth, widths.features, DILATIONS)
        )
        self.pools = tuple(b // a for a, b in zip(widths.strides, widths.strides[1:]))
        hidden = widths.hidden[::-1]
        self.cells = nn.ModuleList(
            ConvLSTM(f, below, h, parts.spatial) for f, below, h in zip(widths.features[::-1], (0, *hidden), hidden)
        )
        # The cell's output lies in [-1, 1]: a single 1x1 convolution of it takes thousands of steps to sure logits.
        self.segment = nn.Sequential(
            nn.Conv2d(hidden[-1], 2 * hidden[-1], 3, padding=1), nn.ReLU(), nn.Conv2d(2 * hidden[-1], classes, 1)
        )
        self.branch = ViewBranch(widths.features[-1], hidden, widths.view) if parts.classification else None

    def initial_states(self, count: int) -> States:
        """Zeros for `count` clips."""
        shapes = [
            (count, h, self.size // s, self.size // s)
            for h, s in zip(self.widths.hidden[::-1], self.widths.strides[::-1])
        ]
        # Two tensors a level, never one twice: a graph capture would take them for one input.
        zeros = self.stem.weight.new_zeros
        return tuple((zeros(shape), zeros(shape)) for shape in shapes)

    def extract(self, frames: torch.Tensor) -> list[torch.Tensor]:
        """f_t,1 … f_t,5 of N x 1 x size x size frames, finest first."""
        x = self.stem(frames)
        features = []
        for k, block in enumerate(self.blocks):
            if k and self.pools[k - 1] > 1:
                x = F.avg_pool2d(x, self.pools[k - 1])
            x = block(x)
            features.append(x)
        return features

    def step(self, features: Sequence[torch.Tensor], states: States) -> States:
        """The ConvLSTMs on one frame: the new states from its features, as `extract` gives them, and the states
        before.
        """
        found: list[tuple[torch.Tensor, torch.Tensor]] = []
        for cell, f, before in zip(self.cells, reversed(features), states):
            found.append(cell(f, found[-1] if found else None, before))
        return tuple(found)

    def answer(
        self, features: Sequence[torch.Tensor], outputs: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Logits N x classes x h x h and view logits N x 3 of frames, from their features and every level's y."""
        return self.segment(outputs[-1]), None if self.branch is None else self.branch(features[-1], outputs)

    def forward(
        self, clip: torch.Tensor, states: States | None = None, starts: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None, States]:
        """See the class. `states` continue a clip; where `starts` (N x T bool) is set a frame begins another
        recording.
        """
        count, length = clip.shape[:2]
        flat = self.extract(clip.flatten(0, 1))
        features = [f.unflatten(0, (count, length)) for f in flat]
        states = states or self.initial_states(count)
        outputs = []
        for t in range(length):
            if not self.parts.temporal:
                states = self.initial_states(count)
            elif starts is not None:
                keep = (~starts[:, t, None, None, None]).to(features[0].dtype)
                states = tuple((y * keep, h * keep) for y, h in states)
            states = self.step([f[:, t] for f in features], states)
            outputs.append([y for y, _ in states])
        # All frames at once: batch norm needs more than a few of them.
        logits, views = self.answer(flat, [torch.stack(level, 1).flatten(0, 1) for level in zip(*outputs)])
        shape = (count, length)
        return logits.unflatten(0, shape), None if views is None else views.unflatten(0, shape), states


class FrameWise(nn.Module):
    """A network of single frames with RAL's call: the same clips, no memory and no view."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, clip: torch.Tensor, states: States | None = None, starts: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, None, States | None]:
        return self.net(clip.flatten(0, 1)).unflatten(0, clip.shape[:2]), None, None


RECURRENT_NETS = {"ral": partial(RAL, widths=FULL), "ral-small": partial(RAL, widths=SMALL)}
"""Name -> builder (classes, input size in px, parts=) of networks that carry states from frame to frame."""
