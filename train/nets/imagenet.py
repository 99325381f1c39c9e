"""Start a MobileNetV2 trunk from published ImageNet weights (the paper's "_Q" rows)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from edge.errors import DataError
from train.nets.mobilenet_v2 import Trunk


def load_imagenet(trunk: Trunk, path: Path) -> int:
    """Copy a folded MobileNetV2 1.0 `.npz` into `trunk` and return the number of convolutions copied.

    Keys are `index|conv or dw|stride|w or b`, OIHW float32, in graph order; the source folded its batch norm, so ours
    starts as identity with the folded bias. The RGB stem is summed over colour, which is the same for grey input in
    [-1, 1]. Raises DataError when a shape differs, naming the layer.
    """
    try:
        arrays = np.load(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no .npz of MobileNetV2 weights: {error}") from error
    by_index: dict[int, dict[str, np.ndarray]] = {}
    for key in arrays.files:
        index, _, _, part = key.split("|")
        by_index.setdefault(int(index), {})[part] = arrays[key]
    modules = list(trunk.modules())
    convolutions = [
        (module, modules[place + 1]) for place, module in enumerate(modules) if isinstance(module, nn.Conv2d)
    ]
    for index, (convolution, norm) in enumerate(convolutions):
        weight = torch.from_numpy(by_index[index]["w"])
        if index == 0 and convolution.in_channels == 1:
            weight = weight.sum(1, keepdim=True)
        if weight.shape != convolution.weight.shape or not isinstance(norm, nn.BatchNorm2d):
            raise DataError(
                f"{path}: layer {index} is {tuple(weight.shape)}, this network needs {tuple(convolution.weight.shape)}"
            )
        convolution.weight.data.copy_(weight)
        nn.init.ones_(norm.weight)
        norm.bias.data.copy_(torch.from_numpy(by_index[index]["b"]))
        nn.init.zeros_(norm.running_mean)
        nn.init.constant_(norm.running_var, 1 - norm.eps)
    return len(convolutions)
