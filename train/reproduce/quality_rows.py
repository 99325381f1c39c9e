"""What the regional-quality paper prints in tables 3, 4, 8 and 9, and how much of its work each scale does."""

from __future__ import annotations

from dataclasses import dataclass

from train.nets.quality_net import ATTENTIONS, BACKBONES, HEADS, Variant

PAPER_SPEARMAN = {"gCNR": 0.24, "coherence": 0.58, "end-to-end": 0.69}
"""Against experts' labels (abstract); between the observers it was 0.63."""
PAPER_COHERENCE = {"ssim": 0.994, "rpe": 0.056, "psnr": 35.99}
ABLATION = (
    *(Variant(backbone, head) for backbone in BACKBONES for head in HEADS),
    *(Variant(attention=attention) for attention in ATTENTIONS if attention != "none"),
)
"""Table 8, then table 9's two further variants."""


@dataclass(frozen=True)
class Scale:
    """Amounts: training frames of real data (None: all), loops of synthetic echo, epochs, frames of each test set
    (None: all).
    """

    real_frames: int | None
    synthetic_loops: int
    epochs: int
    coherence_loops: int
    coherence_epochs: int
    test_loops: int
    test_frames: int | None
    ablation_epochs: int


SCALES = {
    "smoke": Scale(16, 20, 1, 18, 1, 6, 8, 1),
    "cpu": Scale(400, 160, 10, 320, 10, 80, None, 2),
    "full": Scale(None, 2000, 60, 4000, 60, 400, None, 60),
}


TRAIN_SEED, COHERENCE_SEED, FIT_SEED, TEST_SEED = 0, 100_000, 200_000, 300_000
"""First loops of the sets of synthetic echo: no two share a heart."""
FIT_FRAMES = 200
"""Training frames, or the scale's number of test frames, that the lines from metrics to labels are fitted on."""
