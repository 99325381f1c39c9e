"""The networks, by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from train.nets.pspnet_mk import PSPNetMK
from train.nets.quality_net import QualityNet

NETS: dict[str, Callable[..., nn.Module]] = {"pspnet-mk": PSPNetMK, "quality": QualityNet}
