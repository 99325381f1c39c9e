"""How a segmentation network is trained: the PSPNet-MK paper's recipe, and a present-day one."""

from __future__ import annotations

from dataclasses import dataclass

from train.augment import AugmentSpec
from train.facts import FitConfig


@dataclass(frozen=True)
class Recipe:
    """`loss` is a name in `train.losses.SEGMENTATION_LOSSES`; without `augment`, frames are only resized."""

    fit: FitConfig
    loss: str
    augment: AugmentSpec | None


MILD = AugmentSpec(
    rotation_deg=9.0,
    scale=(0.86, 1.14),
    aspect=0.05,
    shift=0.04,
    gamma=(0.8, 1.3),
    p_crush=0.15,
    p_texture=0.25,
    p_shadow=0.15,
    p_sector=0.1,
)
"""About half of what AugmentSpec does by default."""
RECIPES = {
    "paper": Recipe(
        FitConfig(
            epochs=30,
            batch=8,
            optimizer="sgd",
            lr=1e-2,
            lr_end=1e-4,
            weight_decay=1e-4,
            warmup_steps=0,
            ema_decay=0.0,
            clip_norm=0.0,
            mixed_precision=False,
        ),
        "cross-entropy",
        None,
    ),
    "modern": Recipe(FitConfig(epochs=30), "dice-cross-entropy", AugmentSpec()),
    "finish": Recipe(FitConfig(epochs=3, lr=3e-4, warmup_steps=50), "dice-cross-entropy", MILD),
}
"""Section 3 of the paper; AdamW with warm-up, moving average, mixed precision, Dice + cross-entropy and augmentation;
and last epochs, from a checkpoint of the second, in which frames look more as they are."""

PAPER_EPOCHS = {"pspnet-r": 50}
"""The paper trains ResNet50 for 50 epochs, everything else for 30."""
