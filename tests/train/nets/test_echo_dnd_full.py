"""The full 238 M network: on a GPU, or on a CPU that computes in bfloat16."""

from __future__ import annotations

import time

import pytest
import torch

from edge.bench.worker import peak_mib
from train.diffusion.losses import LossWeights, echo_dnd_loss
from train.diffusion.sample import draw_noise, sample
from train.diffusion.schedule import trailing_grid
from train.echo_dnd import RECIPES, build
from train.fit import autocast_dtype, make_optimizer
from train.nets.echo_dnd import CONFIGS


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_one_training_step_and_a_two_step_sample(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints seconds and memory: `pytest tests/train/nets/test_echo_dnd_full.py`."""
    if kind == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU is here")
    device, count = torch.device(kind), 8 if kind == "cuda" else 1
    dtype = autocast_dtype(device, True)
    if dtype is None:
        pytest.skip("the full network takes minutes where the processor has no bfloat16")
    config = CONFIGS["paper"]
    torch.manual_seed(0)
    net = build(config).to(device, memory_format=torch.channels_last)
    optimizer = make_optimizer(list(net.parameters()), RECIPES["paper"])
    before = next(net.parameters()).detach().clone()
    batch = [torch.rand(count, 1, 256, 256).to(device) * 2 - 1, (torch.rand(count, 256, 256) < 0.2).long().to(device)]
    started = time.perf_counter()
    with torch.autocast(kind, dtype):
        value = echo_dnd_loss(config, LossWeights())(net, batch)
    assert isinstance(value, torch.Tensor)
    value.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    assert torch.isfinite(value)
    assert not torch.equal(before, next(net.parameters()))
    trained = time.perf_counter() - started
    started = time.perf_counter()
    noise = draw_noise(config, 1, 2, torch.Generator(device).manual_seed(0))
    with torch.inference_mode():
        found = sample(net.eval(), net.encode(batch[0][:1]), trailing_grid(2), noise).mean()
    assert found.shape == (1, 1, 256, 256)
    assert torch.isfinite(found).all()
    where, peak = "CPU", peak_mib() / 2**10
    if kind == "cuda":
        where, peak = torch.cuda.get_device_name(), torch.cuda.max_memory_allocated() / 2**30
    with capsys.disabled():
        print(
            f"\n{where}: a training step of {count} in {trained:.1f} s (first), two steps of sampling in "
            f"{time.perf_counter() - started:.1f} s, peak {peak:.1f} GiB"
        )
