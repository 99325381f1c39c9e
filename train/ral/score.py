"""RAL on whole clips: class maps and views frame by frame, and their figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from train.evaluate.metrics import dice, flicker, mean_known
from train.nets.pspnet_mk import upsample
from train.ral.data import CroppedClip
from train.segmentation import CLASSES, SHORT_NAMES, normalised

CHUNK = 8
"""Frames that go through the network at once; the states go on."""


def run_clip(net: nn.Module, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    """(class maps T x H x W uint8, view probabilities T x 3 float32 or None) of T x H x W uint8 at the network's
    size.
    """
    device = next(net.parameters()).device
    states, masks, views = None, [], []
    with torch.inference_mode():
        for first in range(0, len(images), CHUNK):
            part = torch.stack([normalised(image) for image in images[first : first + CHUNK]])[None].to(device)
            logits, view_logits, states = net(part, states)
            masks.append(upsample(logits[0], images.shape[-1]).argmax(1).to(torch.uint8).cpu())
            if view_logits is not None:
                views.append(view_logits[0].softmax(1).float().cpu())
    return torch.cat(masks).numpy(), torch.cat(views).numpy() if views else None


def score_clips(net: nn.Module, clips: Sequence[CroppedClip], classes: int = len(CLASSES)) -> dict[str, float]:
    """Means over frames: Dice of each foreground class that is annotated and "mean" of those; "view", the share of
    frames whose view is right (left out without the classification branch); "flicker", the mean over clips of the
    LV's."""
    dices, right, unrest = [], [], []
    for clip in clips:
        masks, views = run_clip(net, clip.images)
        dices += [
            [dice(m == c, t == c) if c in clip.known else np.nan for c in range(1, classes)]
            for m, t in zip(masks, clip.masks)
        ]
        if views is not None:
            right += list(views.argmax(1) == clip.view)
        areas = [(stack == 1).sum((1, 2)).astype(np.float64) for stack in (masks, clip.masks)]
        unrest.append(flicker(*areas))
    each = {name: mean_known(column) for name, column in zip(SHORT_NAMES, np.array(dices).T)}
    row = {name: value for name, value in each.items() if not np.isnan(value)}
    row["mean"] = mean_known(np.array(dices))
    if right:
        row["view"] = float(np.mean(right))
    return {**row, "flicker": mean_known(np.array(unrest))}
