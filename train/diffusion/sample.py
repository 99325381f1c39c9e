"""Sampling masks: DDIM along any grid of timesteps, both branches together, with the noise as an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from train.diffusion import bernoulli, gaussian
from train.nets.echo_dnd import EchoDND, EchoDNDConfig, Encoded


class Noise(NamedTuple):
    """Everything random of a sample (equation 7), so that a result repeats.

    x_g N x 1 x H x W normal; x_b likewise, 0 or 1 with equal chance; u likewise uniform, one for each step but the
    last; z N x latent normal.
    """

    x_g: torch.Tensor
    x_b: torch.Tensor
    u: tuple[torch.Tensor, ...]
    z: torch.Tensor | None


class Probabilities(NamedTuple):
    """What each branch says of x_0, N x 1 x H x W in [0, 1]; None where the network lacks the branch."""

    gaussian: torch.Tensor | None
    bernoulli: torch.Tensor | None

    def mean(self) -> torch.Tensor:
        """Mean of the branches that are there: the estimate used in real time."""
        there = [p for p in self if p is not None]
        return torch.stack(there).mean(0)


def draw_noise(config: EchoDNDConfig, count: int, steps: int, generator: torch.Generator) -> Noise:
    """The noise of `count` samples of `steps` steps, float32 on the generator's device."""
    shape = (count, 1, config.size, config.size)

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator, device=generator.device)

    def uniform() -> torch.Tensor:
        return torch.rand(shape, generator=generator, device=generator.device)

    z = normal(count, config.latent) if config.latent else None
    return Noise(
        normal(*shape), bernoulli.drawn(torch.full((), 0.5), uniform()), tuple(uniform() for _ in range(steps - 1)), z
    )


def repeat(encoded: Encoded, count: int) -> Encoded:
    """Each image's conditions `count` times in a row, for as many samples of it."""

    def again(x: torch.Tensor) -> torch.Tensor:
        return x.repeat_interleave(count, 0)

    prepared = {name: [[again(x) for x in level] for level in levels] for name, levels in encoded.prepared.items()}
    features = [again(x) for x in encoded.features]
    return Encoded(again(encoded.image), features, again(encoded.calibrated), prepared)


def step(
    net: EchoDND, encoded: Encoded, x_g: torch.Tensor, x_b: torch.Tensor, t: torch.Tensor, z: torch.Tensor | None
) -> Probabilities:
    """What the network says of x_0 at timestep t (N int64)."""
    found = net.denoise(encoded, x_g, x_b, t, z)
    of_gaussian = of_bernoulli = None
    if found.gaussian is not None:
        of_gaussian = (gaussian.x0_from(net.config.prediction, found.gaussian, x_g, t) + 1) / 2
    if found.bernoulli is not None:
        of_bernoulli = found.bernoulli.sigmoid()
    return Probabilities(of_gaussian, of_bernoulli)


def advance(
    found: Probabilities, x_g: torch.Tensor, x_b: torch.Tensor, u: torch.Tensor, t: torch.Tensor, s: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The states at s < t: DDIM without new noise for the Gaussian branch, a draw by u for the Bernoulli one."""
    if found.gaussian is not None:
        x_g = gaussian.ddim_step(2 * found.gaussian - 1, x_g, t, s)
    if found.bernoulli is not None:
        x_b = bernoulli.drawn(bernoulli.ddim_probability(found.bernoulli, x_b, t, s), u)
    return x_g, x_b


def sample(net: EchoDND, encoded: Encoded, grid: Sequence[int], noise: Noise) -> Probabilities:
    """Walk a descending grid of timesteps and return the last step's probabilities, not a draw from them."""
    x_g, x_b = noise.x_g, noise.x_b
    for index, timestep in enumerate(grid):
        t = torch.full((len(x_g),), timestep, dtype=torch.long, device=x_g.device)
        found = step(net, encoded, x_g, x_b, t, noise.z)
        if index + 1 < len(grid):
            x_g, x_b = advance(found, x_g, x_b, noise.u[index], t, torch.full_like(t, grid[index + 1]))
    return found
