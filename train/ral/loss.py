"""What RAL is trained by: segmentation, view and, where asked, steadiness."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from train.losses import dice_cross_entropy, merge_unknown
from train.nets.pspnet_mk import upsample

VIEW_WEIGHT = 0.2
"""lambda_c of equation (7) where lambda_s is 1; the paper says only that both were chosen empirically."""


def unrest(
    logits: torch.Tensor, masks: torch.Tensor, starts: torch.Tensor, known: torch.Tensor | None = None
) -> torch.Tensor:
    """What flicker measures, as a loss: mean |change of a class's area - true change| from frame to frame, as a share
    of its mean true area, over the foreground classes.

    N x T x classes x h x h logits, N x T x size x size int64 masks, N x T starts, N x T x classes known (None: all); a
    scalar, 0 where no frame follows another. What a clip does not annotate is part of its background.
    """
    classes = logits.shape[2]
    merged = merge_unknown(logits.flatten(0, 1), None if known is None else known.flatten(0, 1))
    found = merged.reshape(logits.shape).softmax(2)[:, :, 1:].mean((3, 4))
    true = torch.stack([(masks == k).float().mean((2, 3)) for k in range(1, classes)], 2)
    follows = (~starts[:, 1:, None]).float()
    change = ((found - true).diff(dim=1).abs() * follows).sum((0, 1)) / follows.sum().clamp_min(1)
    return (change / true.mean((0, 1)).clamp_min(1e-3)).mean()


def aggregation_loss(
    window: int, view_weight: float = VIEW_WEIGHT, steady_weight: float = 0.0
) -> Callable[..., Iterator[torch.Tensor]]:
    """The aggregation loss, equations (5)-(7), one part for each `window` frames of an item.

    Equation (5) prints the Dice term as a gain: it enters as 1 - Dice. With four classes its binary cross-entropy
    becomes categorical and the Dice is the mean of the foreground classes; with two both are the paper's.
    `steady_weight` adds `unrest`, which the paper does not have. Gradients stop between windows, the states go on.
    """

    def loss(net: nn.Module, batch: list[torch.Tensor]) -> Iterator[torch.Tensor]:
        images, masks, views, starts, known = batch
        states = None
        for first in range(0, images.shape[1], window):
            part = np.s_[:, first : first + window]
            logits, view_logits, states = net(images[part], states, starts[part])
            target, annotated = masks[part].flatten(0, 1), known[part].flatten(0, 1)
            with torch.autocast(images.device.type, enabled=False):
                value = dice_cross_entropy(upsample(logits.flatten(0, 1).float(), target.shape[-1]), target, annotated)
                if view_logits is not None:
                    value = value + view_weight * F.cross_entropy(
                        view_logits.flatten(0, 1).float(), views[part].flatten()
                    )
                if steady_weight:
                    value = value + steady_weight * unrest(logits.float(), masks[part], starts[part], known[part])
            states = tuple((y.detach(), h.detach()) for y, h in states) if states else None
            yield value * (masks[part].shape[1] / images.shape[1])

    return loss
