"""Losses on logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F


def dice_cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus soft Dice over the foreground classes, batch-wise.

    logits N x C x H x W float32; target N x H x W int64. Scalar.
    """
    probability = logits.softmax(1)
    onehot = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2).to(probability.dtype)
    overlap = (probability * onehot).sum((0, 2, 3))
    total = probability.sum((0, 2, 3)) + onehot.sum((0, 2, 3))
    soft_dice = (2 * overlap + 1) / (total + 1)
    return F.cross_entropy(logits, target) + 1 - soft_dice[1:].mean()


def masked_mse(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean squared error over labels that are not NaN (regions outside the sector have none). N x 8 float32 each."""
    known = ~torch.isnan(labels)
    difference = torch.where(known, scores - labels.nan_to_num(), torch.zeros_like(scores))
    return (difference**2).sum() / known.sum().clamp(min=1)


SEGMENTATION_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross-entropy": F.cross_entropy,
    "dice-cross-entropy": dice_cross_entropy,
}
"""Name -> loss of (logits N x C x H x W float32, target N x H x W int64)."""
