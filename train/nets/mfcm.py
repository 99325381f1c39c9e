"""Multi-scale Fusion Conditioning Module of Echo-DND (section 4.2): an HRNet (Wang et al. 2019) over the echo image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from train.nets.resnet import Residual, conv_bn
from train.nets.unet import Decoder, double_conv

STREAMS = 4
BLOCKS_PER_STREAM = 4
BOTTLENECKS = 4


class Exchange(nn.Module):
    """Every stream becomes the sum of all streams, brought to its resolution.

    Down: a chain of strided 3x3 convolutions, each doubling the channels. Up: 1x1 convolution, then bilinear.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.ModuleList(self._path(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    @staticmethod
    def _path(widths: Sequence[int], source: int, target: int) -> nn.Module:
        if source == target:
            return nn.Identity()
        if source > target:
            return conv_bn(widths[source], widths[target], 1)
        layers: list[nn.Module] = []
        for index in range(source, target):
            layers += [conv_bn(widths[index], widths[index + 1], 3, 2), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def forward(self, streams: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        merged = []
        for target, paths in enumerate(self.paths):
            assert isinstance(paths, nn.ModuleList)
            size = streams[target].shape[2:]
            total = streams[target]
            for source, path in enumerate(paths):
                if source == target:
                    continue
                x = path(streams[source])
                if source > target:
                    x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
                total = total + x
            merged.append(torch.relu(total))
        return merged


class MFCM(nn.Module):
    """Four streams of width, 2, 4 and 8 times width channels at 1, 1/2, 1/4 and 1/8 of the stem's resolution.

    Input N x 1 x H x W float32 in [-1, 1]; output [F^0 ... F^3]. `patch` folds p x p pixels into channels before the
    stem, so that F^0 is H/p x W/p; the paper's setting is width 32, patch 1. H and W must divide by 8 p.
    """

    def __init__(self, width: int, stem_width: int, patch: int = 1) -> None:
        super().__init__()
        self.patch = patch
        self.channels = tuple(width << stream for stream in range(STREAMS))
        wide = 4 * stem_width
        self.stem = nn.Sequential(
            conv_bn(patch * patch, stem_width, 1),
            nn.ReLU(),
            conv_bn(stem_width, stem_width, 1),
            nn.ReLU(),
            *(Residual(stem_width if k == 0 else wide, stem_width, 4, 1, 1) for k in range(BOTTLENECKS)),
        )
        # The first two streams leave the stem; each later stage branches one more off the last stream.
        self.first = nn.Sequential(conv_bn(wide, width, 3), nn.ReLU())
        downs = [wide, *self.channels[1:]]
        self.branch = nn.ModuleList(
            nn.Sequential(conv_bn(downs[stage], self.channels[stage + 1], 3, 2), nn.ReLU())
            for stage in range(STREAMS - 1)
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(
                nn.Sequential(*(Residual(w, w, 1, 1, 1) for _ in range(BLOCKS_PER_STREAM)))
                for w in self.channels[: stage + 2]
            )
            for stage in range(STREAMS - 1)
        )
        self.exchanges = nn.ModuleList(Exchange(self.channels[: stage + 2]) for stage in range(STREAMS - 1))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        x = self.stem(F.pixel_unshuffle(image, self.patch))
        streams = [self.first(x)]
        for branch, stage, exchange in zip(self.branch, self.stages, self.exchanges):
            assert isinstance(stage, nn.ModuleList)
            streams.append(branch(x))
            streams = exchange([blocks(s) for blocks, s in zip(stage, streams)])
            x = streams[-1]
        return streams


class UNetConditioner(nn.Module):
    """Table 4's other conditioning module: a plain U-Net whose decoder's maps take the place of F^0 ... F^3."""

    def __init__(self, width: int, patch: int = 1) -> None:
        super().__init__()
        self.patch = patch
        self.channels = tuple(width << stream for stream in range(STREAMS))
        self.encoder = nn.ModuleList(
            double_conv(i, o) for i, o in zip((patch * patch, *self.channels), (*self.channels, self.channels[-1]))
        )
        self.decoder = Decoder((*self.channels, self.channels[-1]), self.channels[::-1])

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        x = F.pixel_unshuffle(image, self.patch)
        maps: list[torch.Tensor] = []
        for index, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if index else x)
            maps.append(x)
        decoded = []
        for block, skip in zip(self.decoder.blocks, reversed(maps[:-1])):
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], 1))
            decoded.append(x)
        return decoded[::-1]


class CalibrationHead(nn.Module):
    """Spatial coherence calibration (section 4.3): all streams at F^0's resolution to a linear estimate of the mask.

    Output N x 1 x H x W float32, near 0 outside the LV and near 1 inside: equation (12) compares it with the mask by
    MSE.
    """

    def __init__(self, channels: Sequence[int], patch: int = 1) -> None:
        super().__init__()
        self.patch = patch
        total = sum(channels)
        self.layers = nn.Sequential(conv_bn(total, total, 1), nn.ReLU(), nn.Conv2d(total, patch * patch, 1))

    def forward(self, streams: Sequence[torch.Tensor]) -> torch.Tensor:
        size = streams[0].shape[2:]
        upsampled = [F.interpolate(s, size=size, mode="bilinear", align_corners=False) for s in streams[1:]]
        return F.pixel_shuffle(self.layers(torch.cat([streams[0], *upsampled], 1)), self.patch)
