"""Bernoulli diffusion of a mask in {0, 1} (Sohl-Dickstein et al. 2015; BerDiff; the paper's equations 5-6).

Tensors are N x 1 x H x W float32; t and s are N int64, with -1 for the clean mask. Noise `u` is uniform in [0, 1).
"""

from __future__ import annotations

import math

import torch

from train.diffusion.schedule import ALPHA_BAR, BETA, at

EDGE = 1e-6
"""Probabilities stay this far from 0 and 1 where their logarithm is taken."""


def drawn(probability: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """A sample of Bernoulli(probability): 1 where u < probability."""
    return (u < probability).to(probability.dtype)


def noised_probability(x_0: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """P(x_t = 1 | x_0) = abar_t x_0 + (1 - abar_t) / 2, equation (5) applied t times."""
    abar = at(ALPHA_BAR, t)
    return abar * x_0 + (1 - abar) / 2


def posterior(p_0: torch.Tensor, x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """P(x_{t-1} = 1 | x_t) where x_0 is 1 with probability p_0: theta_1 / (theta_0 + theta_1),

    theta_k = [alpha_t 1(x_t = k) + (1 - alpha_t) / 2] [abar_{t-1} P(x_0 = k) + (1 - abar_{t-1}) / 2].
    """
    alpha, before = 1 - at(BETA, t), at(ALPHA_BAR, t - 1)
    theta_1 = (alpha * x_t + (1 - alpha) / 2) * (before * p_0 + (1 - before) / 2)
    theta_0 = (alpha * (1 - x_t) + (1 - alpha) / 2) * (before * (1 - p_0) + (1 - before) / 2)
    return theta_1 / (theta_0 + theta_1)


def ddim_coefficients(t: torch.Tensor, s: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights of x_t and p_0 in `ddim_probability`: sigma = (1 - abar_s) / (1 - abar_t) and abar_s - sigma abar_t."""
    abar, abar_s = at(ALPHA_BAR, t), at(ALPHA_BAR, s)
    sigma = (1 - abar_s) / (1 - abar)
    return sigma, abar_s - sigma * abar


def ddim_probability(p_0: torch.Tensor, x_t: torch.Tensor, t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """P(x_s = 1) for any s < t (BerDiff's DDIM): sigma x_t + (abar_s - sigma abar_t) p_0; s = -1 gives p_0.

    The weights are non-negative and sum to 1, so this is a probability, and it keeps q(x_s | x_0) for every s.
    """
    of_state, of_mask = ddim_coefficients(t, s)
    return of_state * x_t + of_mask * p_0


def kl_bits(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL(Bernoulli(p) || Bernoulli(q)) in bits, element-wise."""
    p, q = p.clamp(EDGE, 1 - EDGE), q.clamp(EDGE, 1 - EDGE)
    return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()) / math.log(2)


def vlb_bits(x_0: torch.Tensor, x_t: torch.Tensor, t: torch.Tensor, p_0: torch.Tensor) -> torch.Tensor:
    """KL(q(x_{t-1} | x_t, x_0) || p_theta(x_{t-1} | x_t)) in bits a pixel, N; at t = 0 it is -log2 p_theta(x_0 |
    x_1).
    """
    return kl_bits(posterior(x_0, x_t, t), posterior(p_0, x_t, t)).mean((1, 2, 3))


def prior_kl_bits(p_0: torch.Tensor) -> torch.Tensor:
    """Equation (11) as printed: KL(Bernoulli(p_0) || Bernoulli(0.5)) in bits a pixel, N."""
    return kl_bits(p_0, torch.full_like(p_0, 0.5)).mean((1, 2, 3))
