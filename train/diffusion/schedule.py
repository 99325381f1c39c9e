"""The noise schedule that both processes share, and the grids of timesteps that samplers walk."""

from __future__ import annotations

import torch

from edge.errors import DataError

TIMESTEPS = 1000
BETA_START, BETA_END = 1e-4, 0.02
STUDENT_GRIDS = {1: (999,), 2: (999, 200), 3: (999, 300, 100), 4: (999, 400, 200, 80)}
"""The Bernoulli state at t = 749 is still noise (abar = 0.003), so few steps stand where it holds signal."""


def betas() -> torch.Tensor:
    """beta_0 ... beta_999, linear (Ho et al. 2020): float64."""
    return torch.linspace(BETA_START, BETA_END, TIMESTEPS, dtype=torch.float64)


def alpha_bars() -> torch.Tensor:
    """abar_t = prod_{s <= t} (1 - beta_s): float64; see `alpha_bar_before` for the clean mask's 1."""
    return torch.cumprod(1 - betas(), 0)


ALPHA_BAR = alpha_bars()
BETA = betas()


def at(values: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """values[t] shaped N x 1 x 1 x 1 float32 on t's device, and 1 where t is -1: abar of the clean mask."""
    known = values.to(t.device)[t.clamp(min=0)]
    return torch.where(t < 0, torch.ones_like(known), known).float()[:, None, None, None]


def trailing_grid(steps: int, timesteps: int = TIMESTEPS) -> tuple[int, ...]:
    """Evenly spaced timesteps that start at the last one: 4 steps give 999, 749, 499, 249 (Lin et al. 2024).

    Raises DataError for more steps than there are timesteps, or none.
    """
    if not 1 <= steps <= timesteps:
        raise DataError(f"{steps} steps do not fit into {timesteps} timesteps; ask for 1 to {timesteps}")
    return tuple(round(timesteps - k * timesteps / steps) - 1 for k in range(steps))


def student_grid(steps: int) -> tuple[int, ...]:
    """The few-step grid that the student is trained on. Raises DataError for a number of steps that has none."""
    if steps not in STUDENT_GRIDS:
        raise DataError(f"the student knows 1 to {max(STUDENT_GRIDS)} steps, not {steps}")
    return STUDENT_GRIDS[steps]
