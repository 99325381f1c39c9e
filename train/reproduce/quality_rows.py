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
FRAME_SECONDS = {"end-to-end": 1.0 / 16, "coherence": 2.2 / 16}
"""Processor seconds of training on one frame (benchmarks/quality_steps.py: one core of an AMD EPYC, torch 2.13)."""


def training_seconds(scale: Scale) -> float:
    """Processor seconds that training both networks takes. A loop of synthetic echo gives 1.5 frames, of which 9 in 10
    train.
    """
    assert scale.real_frames is not None
    frames = scale.real_frames + 1.5 * 0.9 * scale.synthetic_loops
    end_to_end = FRAME_SECONDS["end-to-end"] * frames * scale.epochs
    return end_to_end + FRAME_SECONDS["coherence"] * scale.coherence_loops * scale.coherence_epochs


TRAIN_SEED, COHERENCE_SEED, FIT_SEED, TEST_SEED = 0, 100_000, 200_000, 300_000
"""First loops of the sets of synthetic echo: no two share a heart."""
FIT_FRAMES = 200
"""Training frames, or the scale's number of test frames, that the lines from metrics to labels are fitted on."""
