"""Losses on logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

NOTHING = -1e4
"""A logit whose probability is 0, and whose gradient is no NaN."""


def merge_unknown(logits: torch.Tensor, known: torch.Tensor | None) -> torch.Tensor:
    """Logits in which the classes that a sample does not annotate have gone into its background.

    logits N x C x H x W; known N x C bool, True for the background; None knows all. The background's probability
    becomes the sum of its own and of theirs, which become 0: of data with the LV alone P(LV) is judged against 1 -
    P(LV), and how the rest is shared out is left to the samples that say.
    """
    if known is None or bool(known.all()):
        return logits
    hidden = ~known[:, :, None, None]
    rest = torch.where(hidden, logits, NOTHING)
    background = torch.logaddexp(logits[:, :1], rest.logsumexp(1, keepdim=True))
    others = logits[:, 1:].masked_fill(hidden[:, 1:], NOTHING)
    return torch.cat([background, others], 1)


def cross_entropy(logits: torch.Tensor, target: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
    """Mean cross-entropy over the pixels.

    logits N x C x H x W float32; target N x H x W int64; known as for `merge_unknown`. Scalar.
    """
    return F.cross_entropy(merge_unknown(logits, known), target)


def dice_cross_entropy(logits: torch.Tensor, target: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
    """Cross-entropy plus soft Dice over the foreground classes that any sample of the batch knows, batch-wise.

    logits N x C x H x W float32; target N x H x W int64; known as for `merge_unknown`. Scalar.
    """
    logits = merge_unknown(logits, known)
    probability = logits.softmax(1)
    onehot = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2).to(probability.dtype)
    overlap = (probability * onehot).sum((0, 2, 3))
    total = probability.sum((0, 2, 3)) + onehot.sum((0, 2, 3))
    soft_dice = (2 * overlap + 1) / (total + 1)
    if known is not None:
        soft_dice = soft_dice[known.any(0)]
    return F.cross_entropy(logits, target) + 1 - soft_dice[1:].mean()


def masked_mse(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean squared error over labels that are not NaN (regions outside the sector have none). N x 8 float32 each."""
    known = ~torch.isnan(labels)
    difference = torch.where(known, scores - labels.nan_to_num(), torch.zeros_like(scores))
    return (difference**2).sum() / known.sum().clamp(min=1)


def squared_emd(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Squared earth mover's distance (Hou et al. 2016) over labels that are not NaN: the mean over regions of the
    summed squared difference of both cumulative distributions.

    logits N x R x K float32, labels N x R float32 in 1-K; a label between two levels is shared by them.
    """
    known = ~torch.isnan(labels)
    levels = torch.arange(1, logits.shape[-1] + 1, device=logits.device, dtype=torch.float32)
    # The cumulative distribution of a label shared by its two neighbours rises linearly between them.
    target = (levels - labels.nan_to_num(1.0)[..., None] + 1).clamp(0, 1)
    difference = ((logits.softmax(-1).cumsum(-1) - target) ** 2).sum(-1)
    return (difference * known).sum() / known.sum().clamp(min=1)


def ssim_map(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Structural similarity of two N x 1 x H x W float32 images in 0-1, at every pixel whose window fits: N x 1 x H-10
    x W-10.

    Wang et al. 2004: Gaussian window of 11 pixels, sigma 1.5, constants 0.01^2 and 0.03^2.
    """
    window = torch.exp(-((torch.arange(11, device=a.device) - 5.0) ** 2) / (2 * 1.5**2))
    window = window / window.sum()

    def smooth(x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(F.conv2d(x, window.view(1, 1, 11, 1)), window.view(1, 1, 1, 11))

    # One pass over the batch for all five moments.
    count = len(a)
    moments = smooth(torch.cat([a, b, a * a, b * b, a * b]))
    mean_a, mean_b, aa, bb, ab = (moments[k * count : (k + 1) * count] for k in range(5))
    variances, covariance = aa - mean_a**2 + bb - mean_b**2, ab - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + 0.01**2) * (2 * covariance + 0.03**2)
    return likeness / ((mean_a**2 + mean_b**2 + 0.01**2) * (variances + 0.03**2))


SEGMENTATION_LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]] = {
    "cross-entropy": cross_entropy,
    "dice-cross-entropy": dice_cross_entropy,
}
"""Name -> loss of (logits N x C x H x W float32, target N x H x W int64, known N x C bool or None for all)."""
