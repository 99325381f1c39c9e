"""Both processes against closed forms, enumeration and diffusers' scheduler."""

from __future__ import annotations

import math

import pytest
import torch

from edge.errors import DataError
from train.diffusion import bernoulli, gaussian
from train.diffusion.schedule import ALPHA_BAR, BETA, STUDENT_GRIDS, student_grid, trailing_grid

DRAWS = 100_000


def at_t(t: int) -> torch.Tensor:
    return torch.tensor([t])


def one_step(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """P(x_t = 1 | x_{t-1} = x), equation (5)."""
    return (1 - BETA[t]) * x + BETA[t] / 2


def images(values: torch.Tensor | float, t: int = 0) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)


@pytest.mark.parametrize("t", [0, 249, 999])
@pytest.mark.parametrize("x_0", [-1.0, 1.0])
def test_gaussian_marginal(t: int, x_0: float) -> None:
    eps = torch.randn(1, 1, 1, DRAWS, generator=torch.Generator().manual_seed(t))
    x_t = gaussian.noised(images(x_0), at_t(t), eps)
    assert x_t.mean().item() == pytest.approx(math.sqrt(ALPHA_BAR[t]) * x_0, abs=0.015)
    assert x_t.std().item() == pytest.approx(math.sqrt(1 - ALPHA_BAR[t]), rel=0.01)


@pytest.mark.parametrize("t", [0, 9, 399])
@pytest.mark.parametrize("x_0", [0.0, 1.0])
def test_bernoulli_marginal_is_equation_5_applied_t_times(t: int, x_0: float) -> None:
    """Both values of the mask are noised alike: an erasing process would leave x_0 = 0 untouched."""
    generator = torch.Generator().manual_seed(t)
    x = torch.full((1, 1, 1, DRAWS), x_0)
    for step in range(t + 1):
        x = bernoulli.drawn(one_step(x, at_t(step)), torch.rand(x.shape, generator=generator))
    expected = bernoulli.noised_probability(images(x_0), at_t(t)).item()
    assert expected == pytest.approx(ALPHA_BAR[t].item() * x_0 + (1 - ALPHA_BAR[t].item()) / 2, abs=1e-6)
    assert x.mean().item() == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(DRAWS))


@pytest.mark.parametrize("t", [1, 50, 500, 999])
@pytest.mark.parametrize("x_t", [0, 1])
@pytest.mark.parametrize("p_0", [0.0, 0.3, 1.0])
def test_bernoulli_posterior_by_enumeration(t: int, x_t: int, p_0: float) -> None:
    """Bayes over the two values of x_{t-1}, with x_0 mixed into its marginal."""
    beta, before = BETA[t].item(), ALPHA_BAR[t - 1].item()
    joint = []
    for previous in (0, 1):
        to_one = (1 - beta) * previous + beta / 2
        likelihood = to_one if x_t else 1 - to_one
        prior_one = sum(w * (before * x + (1 - before) / 2) for x, w in ((0, 1 - p_0), (1, p_0)))
        joint.append(likelihood * (prior_one if previous else 1 - prior_one))
    found = bernoulli.posterior(images(p_0), images(float(x_t)), at_t(t)).item()
    assert found == pytest.approx(joint[1] / sum(joint), abs=1e-4)  # float32: 1 - abar is 1e-4 at t = 0


@pytest.mark.parametrize("grid", [*STUDENT_GRIDS.values(), trailing_grid(10), (999, 998, 1, 0)])
def test_bernoulli_ddim_keeps_the_marginal_on_any_grid(grid: tuple[int, ...]) -> None:
    for t, s in zip(grid, (*grid[1:], -1)):
        of_state, of_mask = bernoulli.ddim_coefficients(at_t(t), at_t(s))
        assert (of_state + of_mask).item() == pytest.approx(1, abs=1e-6)
        assert min(of_state.item(), of_mask.item()) >= 0
        for x_0 in (0.0, 1.0):
            marginal = bernoulli.noised_probability(images(x_0), at_t(t))
            kept = of_state * marginal + of_mask * x_0
            expected = x_0 if s < 0 else bernoulli.noised_probability(images(x_0), at_t(s)).item()
            assert kept.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("prediction", ["v", "eps", "x0"])
@pytest.mark.parametrize("t", [3, 400, 900])
def test_every_prediction_gives_back_the_mask(prediction: str, t: int) -> None:
    x_0 = images(torch.tensor([-1.0, 1.0, -1.0]))
    eps = images(torch.tensor([0.3, -1.2, 0.5]))
    x_t = gaussian.noised(x_0, at_t(t), eps)
    output = gaussian.target(prediction, x_0, at_t(t), eps)
    if prediction == "x0":
        output = 40 * output  # a logit that is sure
    torch.testing.assert_close(gaussian.x0_from(prediction, output, x_t, at_t(t)), x_0, atol=2e-3, rtol=0)


@pytest.mark.parametrize("prediction", ["v", "eps"])
def test_a_ddim_walk_agrees_with_diffusers(prediction: str) -> None:
    diffusers = pytest.importorskip("diffusers.schedulers.scheduling_ddim")
    scheduler = diffusers.DDIMScheduler(
        1000,
        1e-4,
        0.02,
        "linear",
        clip_sample=True,
        timestep_spacing="trailing",
        set_alpha_to_one=True,
        prediction_type={"v": "v_prediction", "eps": "epsilon"}[prediction],
    )
    scheduler.set_timesteps(4)
    grid = trailing_grid(4)
    assert tuple(scheduler.timesteps.tolist()) == grid
    generator = torch.Generator().manual_seed(0)
    ours = theirs = torch.randn(1, 1, 4, 4, generator=generator)
    for t, s in zip(grid, (*grid[1:], -1)):
        output = torch.randn(1, 1, 4, 4, generator=generator)
        x_0 = gaussian.x0_from(prediction, output, ours, at_t(t))
        ours = gaussian.ddim_step(x_0, ours, at_t(t), at_t(s))
        # diffusers keeps the unclipped epsilon unless told otherwise
        theirs = scheduler.step(output, t, theirs, use_clipped_model_output=True).prev_sample
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-4)


def test_gaussian_posterior_is_bayes() -> None:
    """Two normals multiplied: q(x_t | x_{t-1}) and q(x_{t-1} | x_0)."""
    t, x_0, x_t = 300, 1.0, 0.4
    beta, before = BETA[t].item(), ALPHA_BAR[t - 1].item()
    precision = (1 - beta) / beta + 1 / (1 - before)
    mean = (math.sqrt(1 - beta) * x_t / beta + math.sqrt(before) * x_0 / (1 - before)) / precision
    found = gaussian.posterior(images(x_0), images(x_t), at_t(t))
    assert found[0].item() == pytest.approx(mean, rel=1e-4)
    assert found[1].item() == pytest.approx(1 / precision, rel=1e-4)


@pytest.mark.parametrize("t", [0, 1, 100])
def test_bounds_are_least_for_the_truth(t: int) -> None:
    generator = torch.Generator().manual_seed(1)
    x_0 = (torch.rand(1, 1, 8, 8, generator=generator) < 0.5).float()
    x_b = bernoulli.drawn(bernoulli.noised_probability(x_0, at_t(t)), torch.rand(x_0.shape, generator=generator))
    right, unsure, wrong = (bernoulli.vlb_bits(x_0, x_b, at_t(t), p).item() for p in (x_0, 0 * x_0 + 0.5, 1 - x_0))
    assert 0 <= right <= 1e-5 < wrong
    assert right <= unsure <= wrong
    signed = 2 * x_0 - 1
    x_g = gaussian.noised(signed, at_t(t), torch.randn(x_0.shape, generator=generator))
    log_variance = gaussian.learned_log_variance(-torch.ones_like(x_0), at_t(t))
    bounds = [gaussian.vlb_bits(signed, x_g, at_t(t), x, log_variance).item() for x in (signed, -signed)]
    assert bounds[0] <= 1e-5 < bounds[1]


def test_the_printed_kl_is_least_at_even_odds() -> None:
    """Equation (11) as printed pulls predictions to one half, whatever the mask."""
    values = [bernoulli.prior_kl_bits(images(p)).item() for p in (0.5, 0.9, 0.99)]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values[0] < values[1] < values[2]


def test_grids() -> None:
    assert trailing_grid(4) == (999, 749, 499, 249)
    assert trailing_grid(1) == (999,)
    assert trailing_grid(1000) == tuple(range(999, -1, -1))
    assert student_grid(4) == (999, 400, 200, 80)
    with pytest.raises(DataError, match="0 steps"):
        trailing_grid(0)
    with pytest.raises(DataError, match="1 to 4 steps, not 7"):
        student_grid(7)
