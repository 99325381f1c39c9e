"""Gaussian diffusion of a mask in {-1, 1} (Ho et al. 2020; the paper's equations 1-4), for any kind of prediction.

Tensors are N x 1 x H x W float32; t and s are N int64, with -1 for the clean mask.
"""

from __future__ import annotations

import math

import torch

from train.diffusion.schedule import ALPHA_BAR, BETA, at


def noised(x_0: torch.Tensor, t: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """q(x_t | x_0): x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps."""
    abar = at(ALPHA_BAR, t)
    return abar.sqrt() * x_0 + (1 - abar).sqrt() * eps


def target(prediction: str, x_0: torch.Tensor, t: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """What the network is to output: eps (equation 8); v = sqrt(abar) eps - sqrt(1 - abar) x_0 (Salimans and Ho 2022);
    or x_0.
    """
    if prediction == "eps":
        return eps
    if prediction == "v":
        abar = at(ALPHA_BAR, t)
        return abar.sqrt() * eps - (1 - abar).sqrt() * x_0
    return x_0


def estimate(prediction: str, output: torch.Tensor) -> torch.Tensor:
    """The network's output on the scale of `target`: x_0 comes as a logit l, and tanh(l / 2) = 2 sigmoid(l) - 1 is in
    (-1, 1).
    """
    return (output / 2).tanh() if prediction == "x0" else output


def x0_from(prediction: str, output: torch.Tensor, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """x_0 that an output stands for, clipped to [-1, 1].

    eps: (x_t - sqrt(1 - abar) eps) / sqrt(abar), which at t = 999 multiplies an error of eps by 157.
    v: sqrt(abar) x_t - sqrt(1 - abar) v.
    """
    value = estimate(prediction, output)
    abar = at(ALPHA_BAR, t)
    if prediction == "eps":
        value = (x_t - (1 - abar).sqrt() * value) / abar.sqrt()
    elif prediction == "v":
        value = abar.sqrt() * x_t - (1 - abar).sqrt() * value
    return value.clamp(-1, 1)


def posterior(x_0: torch.Tensor, x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of q(x_{t-1} | x_t, x_0).

    mean = sqrt(abar_{t-1}) beta_t / (1 - abar_t) x_0 + sqrt(alpha_t) (1 - abar_{t-1}) / (1 - abar_t) x_t;
    variance = (1 - abar_{t-1}) / (1 - abar_t) beta_t.
    """
    abar, before, beta = at(ALPHA_BAR, t), at(ALPHA_BAR, t - 1), at(BETA, t)
    mean = before.sqrt() * beta / (1 - abar) * x_0 + (1 - beta).sqrt() * (1 - before) / (1 - abar) * x_t
    return mean, (1 - before) / (1 - abar) * beta


def learned_log_variance(fraction: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """log Sigma_theta between the posterior's variance (fraction -1) and beta_t (1) (Nichol and Dhariwal 2021, equation
    15).
    """
    # t = 0 has a posterior variance of 0; like that paper, it takes the one of t = 1
    one = t.clamp(min=1)
    smallest = ((1 - at(ALPHA_BAR, one - 1)) / (1 - at(ALPHA_BAR, one)) * at(BETA, one)).log()
    largest = at(BETA, t).log()
    share = (fraction + 1) / 2
    return share * largest + (1 - share) * smallest


def vlb_bits(
    x_0: torch.Tensor, x_t: torch.Tensor, t: torch.Tensor, x_0_hat: torch.Tensor, log_variance: torch.Tensor
) -> torch.Tensor:
    """KL(q(x_{t-1} | x_t, x_0) || p_theta(x_{t-1} | x_t)) in bits a pixel, N.

    At t = 0 it is -log2 p(x_0 | x_1): a mask has two values, so p is the mass on x_0's side of zero, Phi(x_0 mean /
    sigma).
    """
    true_mean, true_variance = posterior(x_0, x_t, t)
    mean, _ = posterior(x_0_hat, x_t, t)
    true_log = true_variance.clamp(min=1e-20).log()
    kl = 0.5 * (log_variance - true_log + (true_log - log_variance).exp() - 1)
    kl = kl + 0.5 * (true_mean - mean) ** 2 * (-log_variance).exp()
    likelihood = -torch.special.log_ndtr(x_0 * mean * (-0.5 * log_variance).exp())
    return torch.where(t[:, None, None, None] == 0, likelihood, kl).mean((1, 2, 3)) / math.log(2)


def prior_kl_bits(
    x_t: torch.Tensor, t: torch.Tensor, x_0_hat: torch.Tensor, log_variance: torch.Tensor
) -> torch.Tensor:
    """Equation (10) as printed: KL(N(mu_theta, Sigma_theta) || N(0, I)) in bits a pixel, N."""
    mean, _ = posterior(x_0_hat, x_t, t)
    return 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).mean((1, 2, 3)) / math.log(2)


def ddim_step(x_0: torch.Tensor, x_t: torch.Tensor, t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """x_s from x_t for any s < t without new noise (Song et al. 2020, equation 12 with sigma 0); s = -1 gives x_0.

    x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s) eps with the eps that x_t and x_0 imply.
    """
    abar, abar_s = at(ALPHA_BAR, t), at(ALPHA_BAR, s)
    eps = (x_t - abar.sqrt() * x_0) / (1 - abar).sqrt()
    return abar_s.sqrt() * x_0 + (1 - abar_s).sqrt() * eps
