"""The head's fit on features that were computed once."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from edge.heart.plane import APICAL, PLANES
from train.nets.view_head import ViewHead
from train.view.features import Features

COUNT = len(PLANES)
BATCH = 128
LEARNING_RATE, DECAY, SMOOTHING = 3e-3, 0.02, 0.03


def head_loss(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Cross-entropy of the plane, each with its weight, and of the two orientations where they are known. N x 11 and
    N x 3."""
    loss = F.cross_entropy(logits[:, :COUNT], labels[:, 0], weights, label_smoothing=SMOOTHING)
    for column in (1, 2):
        known = labels[:, column] >= 0
        if known.any():
            answer = logits[known, COUNT + column - 1]
            loss = loss + F.binary_cross_entropy_with_logits(answer, labels[known, column].float())
    return loss


def fit_head(features: Features, epochs: int, seed: int = 0) -> ViewHead:
    """A head after `epochs` over all features, in evaluation mode."""
    torch.manual_seed(seed)
    fine, coarse, labels = (torch.from_numpy(a) for a in (features.fine, features.coarse, features.labels))
    head = ViewHead()
    optimiser = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=DECAY)
    batch = min(BATCH, len(labels))
    counts = torch.bincount(labels[:, 0], minlength=COUNT).clamp(min=1).float()
    weights = (counts.mean() / counts).sqrt()  # between all pictures alike and all planes alike
    steps = epochs * (len(labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for epoch in range(epochs):
        order = torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(len(labels)))
        for at in order[: len(order) // batch * batch].split(batch):
            loss = head_loss(head(fine[at].float(), coarse[at].float()), labels[at], weights)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return head.eval()


def head_scores(head: ViewHead, features: Features) -> dict[str, float]:
    """Shares of single pictures: the plane right, apical ones taken as apical, others taken as apical, mirrored and
    upside down right."""
    parts = []
    with torch.inference_mode():
        for first in range(0, len(features.labels), 512):
            some = slice(first, first + 512)
            parts.append(
                head(torch.from_numpy(features.fine[some]).float(), torch.from_numpy(features.coarse[some]).float())
            )
    logits, labels = torch.cat(parts), torch.from_numpy(features.labels)
    planes = logits[:, :COUNT].softmax(1)
    apical, is_apical = planes[:, : len(APICAL)].sum(1) > 0.5, labels[:, 0] < len(APICAL)
    found = {
        "plane": planes.argmax(1) == labels[:, 0],
        "apical accepted": apical[is_apical],
        "others accepted": apical[~is_apical],
    }
    for name, column in (("mirrored", 1), ("upside down", 2)):
        known = labels[:, column] >= 0
        found[name] = (logits[known, COUNT + column - 1] > 0).long() == labels[known, column]
    return {name: float(right.float().mean()) for name, right in found.items() if len(right)}
