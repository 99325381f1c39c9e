"""The networks, by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from train.nets.pspnet_m import PSPNetM
from train.nets.pspnet_mk import PSPNetMK
from train.nets.pspnet_r import PSPNetR
from train.nets.quality_net import QualityNet
from train.nets.res_u import ResU
from train.nets.unet import UNet
from train.nets.vgg_fcn import VGGFCN

SEGMENTATION_NETS: dict[str, Callable[[int, int], nn.Module]] = {
    "vgg": VGGFCN,
    "unet": UNet,
    "res-u": ResU,
    "pspnet-r": PSPNetR,
    "pspnet-m": PSPNetM,
    "pspnet-mk": PSPNetMK,
}
"""Name -> builder (classes, input size in px) of the PSPNet-MK paper's table 1."""

NETS: dict[str, Callable[..., nn.Module]] = {**SEGMENTATION_NETS, "quality": QualityNet}

ECHO_DND = "echo-dnd"
"""Name of the diffusion model in a checkpoint's facts. It takes a configuration instead of classes:
`train.nets.echo_dnd`.
"""
