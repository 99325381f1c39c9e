"""How a segmentation network is trained: the PSPNet-MK paper's recipe, and a present-day one."""

from __future__ import annotations

from dataclasses import dataclass

from train.augment import AugmentSpec
from train.fit import FitConfig


@dataclass(frozen=True)
class Recipe:
    """`loss` is a name in `train.losses.SEGMENTATION_LOSSES`; without `augment`, frames are only resized."""

    fit: FitConfig
    loss: str
    augment: AugmentSpec | None


RECIPES = {
    "paper": Recipe(
        FitConfig(
            epochs=30, batch=8, optimizer="sgd", lr=1e-2, lr_end=1e-4, weight_decay=1e-4,
            warmup_steps=0, ema_decay=0.0, clip_norm=0.0, mixed_precision=False,
        ),
        "cross-entropy",
        None,
    ),
    "modern": Recipe(FitConfig(epochs=30), "dice-cross-entropy", AugmentSpec()),
}  # fmt: skip
"""Section 3 of the paper; and AdamW with warm-up, moving average, mixed precision, Dice + cross-entropy and augmentation."""

PAPER_EPOCHS = {"pspnet-r": 50}
"""The paper trains ResNet50 for 50 epochs, everything else for 30."""
