"""Start an encoder from published ImageNet weights (the paper's "_Q" rows)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from edge.errors import DataError
from edge.sources.natural import natural_order
from train.nets.mobilenet_v2 import Trunk

TORCHVISION_MEAN, TORCHVISION_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load_imagenet(trunk: Trunk, path: Path) -> int:
    """Copy a folded MobileNetV2 1.0 `.npz` into `trunk` and return the number of convolutions copied.

    Keys are `index|conv or dw|stride|w or b`, OIHW float32, in graph order; the source folded its batch norm, so ours
    starts as identity with the folded bias. The RGB stem is summed over colour, which is the same for grey input in
    [-1, 1]. Raises DataError when a shape differs, naming the layer.
    """
    try:
        arrays = np.load(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not an .npz of MobileNetV2 weights: {error}") from error
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
        mean, variance = statistics_of(norm)
        nn.init.zeros_(mean)
        nn.init.constant_(variance, 1 - norm.eps)
    return len(convolutions)


def unfold_norms(net: nn.Module, trunk: nn.Module, images: torch.Tensor) -> None:
    """Give the batch norms of `trunk` the statistics of `images` (N x 1 x H x W), without changing what they compute.

    A folded file leaves them as identity, which holds in evaluation only: in training mode they would divide every
    channel by its spread and so undo the weights' scale. With weight sqrt(variance) and bias + mean they compute the
    same in both.
    """
    seen: dict[nn.BatchNorm2d, tuple[torch.Tensor, torch.Tensor]] = {}

    def note(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        seen[norm] = (inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3), correction=0))

    hooks = [m.register_forward_pre_hook(note) for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)]
    training = net.training
    with torch.inference_mode():
        net.eval()(images)
    net.train(training)
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for norm, (mean, variance) in seen.items():
            old_mean, old_variance = statistics_of(norm)
            slope = norm.weight / (old_variance + norm.eps).sqrt()
            norm.bias.add_(slope * (mean - old_mean))
            norm.weight.copy_(slope * (variance + norm.eps).sqrt())
            old_mean.copy_(mean)
            old_variance.copy_(variance)


def statistics_of(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Running mean and variance of a batch norm that tracks them, each of its channels."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    return mean, variance


def load_torchvision(encoder: nn.Module, path: Path) -> int:
    """Copy torchvision's (or timm's) VGG16-BN, ResNet34 or ResNet50 into `encoder`; return the number of convolutions.

    `path` is a .safetensors state dict (a .pth is a pickle and never read: convert it with
    `safetensors.torch.save_file`). Layers are matched in the order of their numbered names, the classifier is left out.
    The RGB stem is summed over colour and, since those weights expect (x - mean) / std of 0-1 input where ours is grey
    in [-1, 1], scaled by 1 / (2 std), with the constant part and any convolution bias moved into the batch norm's mean.
    Raises DataError when the file or a shape does not fit, naming the layer.
    """
    try:
        state = dict(sorted(load_file(path).items(), key=lambda item: natural_order(item[0])))
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} is not a .safetensors state dict of torchvision or timm: {error}") from error
    kernels = [name for name, tensor in state.items() if tensor.ndim == 4]
    norms = [name.removesuffix("running_mean") for name in state if name.endswith("running_mean")]
    modules = list(encoder.modules())
    pairs = [(m, modules[k + 1]) for k, m in enumerate(modules) if isinstance(m, nn.Conv2d)]
    if not len(kernels) == len(norms) >= len(pairs):
        raise DataError(f"{path} has {len(kernels)} convolutions and {len(norms)} batch norms, {len(pairs)} are needed")
    for index, (kernel, prefix, (convolution, norm)) in enumerate(zip(kernels, norms, pairs)):
        weight = state[kernel].float()
        constant = state.get(kernel.removesuffix("weight") + "bias", torch.zeros(len(weight))).float()
        if index == 0 and weight.shape[1] == 3 and convolution.in_channels == 1:
            mean, std = (torch.tensor(v)[None, :, None, None] for v in (TORCHVISION_MEAN, TORCHVISION_STD))
            constant = constant + (weight * (0.5 - mean) / std).sum((1, 2, 3))
            weight = (weight / (2 * std)).sum(1, keepdim=True)
        if weight.shape != convolution.weight.shape or not isinstance(norm, nn.BatchNorm2d):
            raise DataError(f"{path}: {kernel} is {tuple(weight.shape)}, {tuple(convolution.weight.shape)} is needed")
        convolution.weight.data.copy_(weight)
        norm.weight.data.copy_(state[prefix + "weight"])
        norm.bias.data.copy_(state[prefix + "bias"])
        running_mean, running_var = statistics_of(norm)
        running_mean.copy_(state[prefix + "running_mean"] - constant)
        running_var.copy_(state[prefix + "running_var"])
    return len(pairs)
