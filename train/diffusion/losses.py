"""Echo-DND's training loss, equations (8)-(13)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from train.diffusion import bernoulli, gaussian
from train.diffusion.schedule import TIMESTEPS
from train.fit import Loss
from train.nets.echo_dnd import EchoDNDConfig, Estimate

KINDS_OF_KL = ("vlb", "prior")


@dataclass(frozen=True)
class LossWeights:
    """lambda_1 ... lambda_5 of equation (13) as printed. kl: "vlb" compares with the true posterior; "prior" is
    equations 10-11.

    Read literally, equations 10-11 pull every prediction towards the prior, so against 8 and 9: see docs/echo-dnd.md.
    """

    gaussian: float = 1.0
    bernoulli: float = 1.0
    kl_gaussian: float = 0.01
    kl_bernoulli: float = 0.01
    scc: float = 0.1
    kl: str = "vlb"


def terms(
    config: EchoDNDConfig,
    kl: str,
    x_0: torch.Tensor,
    t: torch.Tensor,
    eps: torch.Tensor,
    x_g: torch.Tensor,
    x_b: torch.Tensor,
    calibrated: torch.Tensor,
    estimate: Estimate,
) -> dict[str, torch.Tensor]:
    """Each term of equation (13), a scalar float32, under its weight's name; x_0 is the mask, N x 1 x H x W in {0,
    1}.
    """
    out = {"scc": F.mse_loss(calibrated, x_0)}  # (12)
    if estimate.gaussian is not None:
        signed = 2 * x_0 - 1
        predicted = gaussian.estimate(config.prediction, estimate.gaussian)
        out["gaussian"] = F.mse_loss(predicted, gaussian.target(config.prediction, signed, t, eps))  # (8)
        if estimate.variance is not None:
            log_variance = gaussian.learned_log_variance(estimate.variance, t)
            x_0_hat = gaussian.x0_from(config.prediction, estimate.gaussian, x_g, t)
            out["kl_gaussian"] = (
                # the mean is trained by (8) alone; the bound trains the variance (Nichol and Dhariwal 2021)
                gaussian.vlb_bits(signed, x_g, t, x_0_hat.detach(), log_variance).mean()
                if kl == "vlb"
                else gaussian.prior_kl_bits(x_g, t, x_0_hat, log_variance).mean()  # (10)
            )
    if estimate.bernoulli is not None:
        out["bernoulli"] = F.binary_cross_entropy_with_logits(estimate.bernoulli, x_0)  # (9)
        p_0 = estimate.bernoulli.sigmoid()
        out["kl_bernoulli"] = (
            bernoulli.vlb_bits(x_0, x_b, t, p_0).mean() if kl == "vlb" else bernoulli.prior_kl_bits(p_0).mean()  # (11)
        )
    return out


def echo_dnd_loss(config: EchoDNDConfig, weights: LossWeights) -> Loss:
    """Loss of (network, [image N x 1 x H x W float32, mask N x H x W int64]): each frame at one random timestep.

    Noise comes from torch's global generator, which `fit` seeds by epoch, so that a resumed run draws the same.
    """

    def loss(net: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
        image, mask = batch
        x_0 = mask[:, None].float()
        count = len(image)
        t = torch.randint(TIMESTEPS, (count,), device=image.device)
        eps, u = torch.randn_like(x_0), torch.rand_like(x_0)
        z = torch.randn(count, config.latent, device=image.device) if config.latent else None
        x_g = gaussian.noised(2 * x_0 - 1, t, eps)
        x_b = bernoulli.drawn(bernoulli.noised_probability(x_0, t), u)
        calibrated, estimate = net(image.contiguous(memory_format=torch.channels_last), x_g, x_b, t, z)
        with torch.autocast(image.device.type, enabled=False):
            estimate = Estimate(*(None if part is None else part.float() for part in estimate))
            found = terms(config, weights.kl, x_0, t, eps, x_g, x_b, calibrated.float(), estimate)
            total = torch.zeros((), device=image.device)
            for name, value in found.items():
                total = total + getattr(weights, name) * value
        return total

    return loss
