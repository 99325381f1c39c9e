"""How a segmentation network starts: at random, from echo ("T", pre-training) or from photographs ("Q", ImageNet)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from edge.errors import DataError
from train.checkpoint import load_checkpoint, weights_of
from train.nets.imagenet import load_imagenet, load_torchvision, unfold_norms
from train.nets.mobilenet_v2 import Trunk
from train.nets.unet import UNet
from train.nets.vgg_fcn import VGGFCN

KINDS = {"random": "", "T": "a checkpoint trained on other echo, such as synthetic", "Q": "ImageNet weights"}
"""The PSPNet-MK paper's three kinds of initialisation, and what `path` must then be."""


def initialise(net: nn.Module, kind: str, path: Path | None, images: torch.Tensor | None = None) -> int:
    """Load `path` into `net` as `kind` asks and return the number of tensors (T) or convolutions (Q) that were loaded.

    T takes every tensor whose name and shape agree, so that a network pre-trained on four classes starts one of two. Q
    takes MobileNetV2's `.npz`, or a .safetensors state dict of torchvision for VGG16-BN, ResNet34 and ResNet50. The
    `.npz` is folded: its batch norms take their statistics from `images` (N x 1 x size x size float32 in [-1, 1]) where
    those are given. Raises DataError where the kind lacks a file, or nothing of it fits.
    """
    if kind not in KINDS:
        raise DataError(f"'{kind}' is not an initialisation; write one of {', '.join(KINDS)}")
    if kind == "random":
        return 0
    if path is None:
        raise DataError(f"initialisation {kind} needs a file: {KINDS[kind]}")
    if kind == "Q":
        if isinstance(net, UNet):
            raise DataError("no published ImageNet weights exist for U-Net's own encoder; start it from random or T")
        encoder = net.blocks if isinstance(net, VGGFCN) else net.trunk
        assert isinstance(encoder, nn.Module)
        if not isinstance(encoder, Trunk):
            return load_torchvision(encoder, path)
        return _load_folded(encoder, path, images)
    mine = net.state_dict()
    found = {n: t for n, t in weights_of(load_checkpoint(path)[0]).items() if n in mine and mine[n].shape == t.shape}
    if len(found) < len(mine) // 2:
        raise DataError(
            f"{path} fits {len(found)} of this network's {len(mine)} tensors; give a checkpoint of the same network"
        )
    net.load_state_dict({**mine, **found})
    return len(found)


def _load_folded(trunk: Trunk, path: Path, images: torch.Tensor | None) -> int:
    count = load_imagenet(trunk, path)
    if images is not None:
        unfold_norms(trunk, trunk, images)
    return count


def load_trunk(trunk: Trunk, path: Path, images: torch.Tensor) -> int:
    """Copy a MobileNetV2 into `trunk` and return how many tensors of any checkpoint that has one, or convolutions of an
    ImageNet `.npz`, whose folded batch norms take their statistics from `images` (N x 1 x size x size float32 in [-1,
    1]).

    Raises DataError where a tensor of the trunk is missing there or has another shape.
    """
    if path.suffix == ".npz":
        return _load_folded(trunk, path, images)
    mine, found = trunk.state_dict(), {}
    for name, tensor in weights_of(load_checkpoint(path)[0]).items():
        inner = name.rpartition("trunk.")[2]
        if "trunk." in name and inner in mine and mine[inner].shape == tensor.shape:
            found[inner] = tensor
    if missing := sorted(set(mine) - set(found)):
        raise DataError(f"{path} lacks {len(missing)} of the trunk's {len(mine)} tensors, {missing[0]} first")
    trunk.load_state_dict(found)
    return len(found)
