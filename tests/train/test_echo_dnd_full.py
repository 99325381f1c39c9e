"""The full 238 M network, which needs a GPU to run in a test's time."""

from __future__ import annotations

import time

import pytest
import torch

from train.diffusion.losses import LossWeights, echo_dnd_loss
from train.diffusion.sample import draw_noise, sample
from train.diffusion.schedule import trailing_grid
from train.echo_dnd import RECIPES, build
from train.fit import make_optimizer
from train.nets.echo_dnd import CONFIGS


@pytest.mark.gpu
def test_one_training_step_and_a_two_step_sample(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints seconds and memory: `pytest -m gpu -s tests/train/test_echo_dnd_full.py`."""
    if not torch.cuda.is_available():
        pytest.skip("the full network needs a GPU; none is here")
    config = CONFIGS["paper"]
    torch.manual_seed(0)
    net = build(config).cuda().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(list(net.parameters()), RECIPES["paper"])
    batch = [torch.rand(8, 1, 256, 256).cuda() * 2 - 1, (torch.rand(8, 256, 256) < 0.2).long().cuda()]
    started = time.perf_counter()
    with torch.autocast("cuda", torch.bfloat16):
        value = echo_dnd_loss(config, LossWeights())(net, batch)
    value.backward()
    optimizer.step()
    torch.cuda.synchronize()
    trained = time.perf_counter() - started
    assert torch.isfinite(value)
    generator = torch.Generator("cuda").manual_seed(0)
    started = time.perf_counter()
    with torch.inference_mode():
        found = sample(
            net.eval(), net.encode(batch[0][:1]), trailing_grid(2), draw_noise(config, 1, 2, generator)
        ).mean()
    assert found.shape == (1, 1, 256, 256)
    assert torch.isfinite(found).all()
    with capsys.disabled():
        print(
            f"\n{torch.cuda.get_device_name()}: a training step of 8 in {trained:.2f} s (first), two steps of sampling in "
            f"{time.perf_counter() - started:.2f} s, peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
        )
