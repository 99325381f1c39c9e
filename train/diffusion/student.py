"""A student in training: its two-step pass, and what it learns from its teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from train.diffusion import bernoulli, gaussian
from train.diffusion.sample import Probabilities, advance
from train.diffusion.schedule import STUDENT_GRIDS
from train.fit import Loss
from train.nets.echo_dnd import EchoDND, Estimate

HINTED = 2
"""Streams of the teacher's MFCM, finest first, that the student's are to resemble."""


@dataclass(frozen=True)
class DistillWeights:
    """What the student learns from.

    truth: share of the expert's mask in the target, the rest being the teacher's consensus. hint: likeness of MFCM
    features (Romero et al. 2015). consistency: KL of the answer at t = 999 from the one a step later. own_states: share
    of frames whose later state comes from the student's own first step instead of the expert's mask.
    """

    truth: float = 0.5
    dice: float = 0.5
    scc: float = 0.1
    hint: float = 0.5
    consistency: float = 0.25
    own_states: float = 0.5


TRUTH_ALONE = DistillWeights(truth=1.0, hint=0.0, consistency=0.0)
"""What every other choice is compared with."""


class StudentPass(nn.Module):
    """The student, and for hints a 1x1 convolution for each compared stream: what `fit` trains and averages.

    A forward pass encodes once and takes two steps: at the grid's first timestep, from noise, and at a later one.
    """

    def __init__(self, student: EchoDND, teacher_channels: Sequence[int]) -> None:
        super().__init__()
        self.student = student
        own = student.conditioner.channels
        self.hints = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(own, teacher_channels))

    def forward(
        self, image: torch.Tensor, x_0: torch.Tensor, later: torch.Tensor, uses_own: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """image N x 1 x H x W; x_0 likewise in {0, 1}; later N int64 timesteps; uses_own N bool.

        Returns logits of x_0 as "gaussian", "bernoulli" (first step), "gaussian_later", "bernoulli_later"; "scc";
        "hint_K".
        """
        net, count = self.student, len(image)
        encoded = net.encode(image)
        z = torch.randn(count, net.config.latent, device=image.device) if net.config.latent else None
        first = torch.full_like(later, STUDENT_GRIDS[1][0])
        x_g, x_b = torch.randn_like(x_0), bernoulli.drawn(torch.full_like(x_0, 0.5), torch.rand_like(x_0))
        start = logits(net.denoise(encoded, x_g, x_b, first, z))
        with torch.no_grad():
            u = torch.rand_like(x_0)
            said = Probabilities(start["gaussian"].float().sigmoid(), start["bernoulli"].float().sigmoid())
            own = advance(said, x_g, x_b, u, first, later)
            true = (
                gaussian.noised(2 * x_0 - 1, later, torch.randn_like(x_0)),
                bernoulli.drawn(bernoulli.noised_probability(x_0, later), u),
            )
            states = [torch.where(uses_own[:, None, None, None], a, b) for a, b in zip(own, true)]
        then = logits(net.denoise(encoded, states[0], states[1], later, z))
        hints = {f"hint_{k}": hint(encoded.features[k]) for k, hint in enumerate(self.hints)}
        return {"scc": encoded.calibrated, **hints, **start, **{f"{name}_later": v for name, v in then.items()}}


def logits(estimate: Estimate) -> dict[str, torch.Tensor]:
    """Both branches' logits of x_0."""
    assert estimate.gaussian is not None
    assert estimate.bernoulli is not None
    return {"gaussian": estimate.gaussian, "bernoulli": estimate.bernoulli}


def distill_terms(
    found: dict[str, torch.Tensor], x_0: torch.Tensor, target: torch.Tensor, features: Sequence[torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The loss's terms, scalars: "target" (cross-entropy with the blended target), "dice", "scc", "hint",
    "consistency".

    x_0 and target N x 1 x H x W, the latter in [0, 1]; features: the teacher's streams, for as many hints as `found`
    holds.
    """
    heads = ("gaussian", "bernoulli")
    both_steps = [found[head + when] for head in heads for when in ("", "_later")]
    out = {
        # each branch counts once, as the mean of its two steps
        "target": sum((F.binary_cross_entropy_with_logits(x, target) for x in both_steps), x_0.new_zeros(())) / 2,
        "dice": torch.stack([soft_dice_loss(x.sigmoid(), x_0) for x in both_steps]).mean(),
        "scc": F.mse_loss(found["scc"], x_0),
    }
    hints = [found[f"hint_{k}"] for k in range(HINTED) if f"hint_{k}" in found]
    if hints:
        out["hint"] = torch.stack([F.mse_loss(a, b) for a, b in zip(hints, features)]).mean()
    divergence = [
        bernoulli.kl_bits(found[f"{head}_later"].detach().sigmoid(), found[head].sigmoid()).mean() for head in heads
    ]
    out["consistency"] = torch.stack(divergence).mean()
    return out


def soft_dice_loss(probability: torch.Tensor, x_0: torch.Tensor) -> torch.Tensor:
    """1 - soft Dice over the batch."""
    return 1 - (2 * (probability * x_0).sum() + 1) / (probability.sum() + x_0.sum() + 1)


def distill_loss(teacher: EchoDND | None, weights: DistillWeights) -> Loss:
    """Loss of (StudentPass, [image, mask N x H x W int64, target N x H x W float32]); without a teacher there is no
    hint.
    """
    later_grid = torch.tensor(STUDENT_GRIDS[max(STUDENT_GRIDS)][1:])

    def loss(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        image, mask, target = batch
        x_0 = mask[:, None].float()
        image = image.contiguous(memory_format=torch.channels_last)
        later = later_grid.to(image.device)[torch.randint(len(later_grid), (len(image),), device=image.device)]
        uses_own = torch.rand(len(image), device=image.device) < weights.own_states
        found = {name: value.float() for name, value in net(image, x_0, later, uses_own).items()}
        features: list[torch.Tensor] = []
        if teacher is not None:
            with torch.no_grad():
                features = [f.float() for f in teacher.to(image.device).conditioner(image)[:HINTED]]
        with torch.autocast(image.device.type, enabled=False):
            terms = distill_terms(found, x_0, target[:, None], features)
            total = terms.pop("target")
            for name, value in terms.items():
                total = total + getattr(weights, name) * value
        return total

    return loss
