from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.cli import main
from edge.errors import DataError
from tests.train.diffusion.tiny import TINY, TINY_MOBILENET, TINY_STUDENT, lively
from tests.train.small import samples, write_camus
from train.augment import AugmentSpec
from train.checkpoint import load_checkpoint, save_checkpoint
from train.diffusion.data import MaskAugmentSpec, MaskData, augment_maps, augment_widely
from train.diffusion.losses import LossWeights, echo_dnd_loss, terms
from train.diffusion.sample import draw_noise, repeat, sample
from train.diffusion.schedule import trailing_grid
from train.echo_dnd import RECIPES, at_size, build, cost, load_echo_dnd, start_trunk, train_echo_dnd
from train.facts import Facts
from train.nets import SEGMENTATION_NETS
from train.nets.echo_dnd import CONFIGS, EchoDNDConfig

FACTS = Facts(net="other", size=32)
IMAGES = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("fusion", ["additive", "cross"])
def test_the_papers_size(fusion: str) -> None:
    found = cost(replace(CONFIGS["paper"], fusion=fusion))
    assert 238 <= found["parameters_m"] <= 244
    assert 950 < found["step_gflop"] < 1050
    assert 170 < found["encode_gflop"] < 190


def test_the_student_is_small() -> None:
    """Weights as FP32 and as INT8 files stay under 15 MB together."""
    assert cost(CONFIGS["student"])["parameters_m"] * 5 < 14


@pytest.mark.parametrize(
    "config",
    [
        TINY,
        TINY_STUDENT,
        replace(TINY, fusion="cross"),
        replace(TINY, trunk="gaussian", prediction="eps"),
        replace(TINY, trunk="bernoulli"),
        replace(TINY, conditioner="unet"),
        TINY_MOBILENET,
    ],
)
def test_every_form_trains_and_samples(config: EchoDNDConfig) -> None:
    torch.manual_seed(0)
    net = build(config).train()
    batch = [torch.rand(2, 1, 32, 32) * 2 - 1, (torch.rand(2, 32, 32) < 0.5).long()]
    loss = echo_dnd_loss(config, LossWeights())
    for _ in range(2):  # the last layers start at zero, so what stands before them learns from the second step on
        value = loss(net, batch)
        net.zero_grad()
        value.backward()
        with torch.no_grad():
            for parameter in net.parameters():
                if parameter.grad is not None:
                    parameter -= 0.01 * parameter.grad
    still = [name for name, p in net.named_parameters() if p.grad is None]
    assert still == []
    generator = torch.Generator().manual_seed(0)
    encoded = net.eval().encode(batch[0])
    found = sample(net, encoded, trailing_grid(3), draw_noise(config, 2, 3, generator)).mean()
    assert found.shape == (2, 1, 32, 32)
    assert found.min() >= 0
    assert found.max() <= 1


def test_the_condition_is_used_and_computed_once() -> None:
    net = lively(TINY)
    image, other = torch.rand(2, 1, 1, 32, 32) * 2 - 1
    noise = draw_noise(TINY, 3, 2, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        encoded = repeat(net.encode(image), 3)
        there = sample(net, encoded, (999, 200), noise).mean()
        again = sample(net, encoded, (999, 200), noise).mean()
        elsewhere = sample(net, repeat(net.encode(other), 3), (999, 200), noise).mean()
        forward = net(image, noise.x_g[:1], noise.x_b[:1], torch.tensor([999]))[1]
        cached = net.denoise(net.encode(image), noise.x_g[:1], noise.x_b[:1], torch.tensor([999]))
    torch.testing.assert_close(there, again, atol=0, rtol=0)
    assert (there - elsewhere).abs().max() > 1e-3
    torch.testing.assert_close(forward.bernoulli, cached.bernoulli)
    assert (there[0] - there[1]).abs().max() > 1e-3, "samples of one image differ by their noise"


def test_a_latent_moves_the_whole_sample() -> None:
    net = lively(TINY_STUDENT)
    noise = draw_noise(TINY_STUDENT, 1, 1, torch.Generator().manual_seed(0))
    assert noise.z is not None
    with torch.inference_mode():
        encoded = net.encode(torch.zeros(1, 1, 32, 32))
        one = sample(net, encoded, (999,), noise).mean()
        other = sample(net, encoded, (999,), noise._replace(z=-noise.z)).mean()
    assert (one - other).abs().max() > 1e-4


def test_loss_terms_are_the_papers() -> None:
    config = replace(TINY, prediction="eps")
    x_0 = (torch.rand(2, 1, 32, 32) < 0.5).float()
    eps, t = torch.randn_like(x_0), torch.tensor([10, 600])
    net = lively(config)
    calibrated, estimate = net(x_0, eps, x_0, t)
    found = terms(config, "vlb", x_0, t, eps, eps, x_0, calibrated, estimate)
    assert found.keys() == {"gaussian", "bernoulli", "kl_gaussian", "kl_bernoulli", "scc"}
    assert found["gaussian"].item() == pytest.approx(((eps - estimate.gaussian) ** 2).mean().item())
    p = estimate.bernoulli.sigmoid()
    cross_entropy = -(x_0 * p.log() + (1 - x_0) * (1 - p).log()).mean()
    assert found["bernoulli"].item() == pytest.approx(cross_entropy.item(), rel=1e-4)
    assert found["scc"].item() == pytest.approx(((calibrated - x_0) ** 2).mean().item())
    printed = terms(config, "prior", x_0, t, eps, eps, x_0, calibrated, estimate)
    assert printed["kl_bernoulli"] != found["kl_bernoulli"]
    assert vars(LossWeights()) == {
        "gaussian": 1,
        "bernoulli": 1,
        "kl_gaussian": 0.01,
        "kl_bernoulli": 0.01,
        "scc": 0.1,
        "kl": "vlb",
    }


def test_augmentation_moves_all_maps_alike() -> None:
    mask = np.zeros((48, 48), np.uint8)
    mask[10:30, 8:20] = 1
    spec = MaskAugmentSpec(brightness=0, contrast=(1, 1), noise=0)
    flipped = 0
    for seed in range(8):
        image, moved, soft = augment_maps([mask * 255, mask, mask * 255], 32, np.random.default_rng(seed), spec)
        _, wide, wide_soft = augment_widely(
            [mask * 255, mask, mask * 255], 32, np.random.default_rng(seed), AugmentSpec()
        )
        assert np.array_equal(wide, wide_soft > 127)
        assert (image == soft).all()
        assert ((image > 127) != (moved > 0)).mean() < 0.02
        assert 0.8 * 0.9**2 < moved.sum() / mask.sum() * (48 / 32) ** 2 < 1.2 * 1.1**2
        flipped += moved[:, 16:].sum() > moved[:, :16].sum()
    assert 0 < flipped < 8


def test_data_repeat_by_seed_and_epoch() -> None:
    data = MaskData(samples(1), 32, 3, MaskAugmentSpec())
    first = data[0][0]
    data.set_epoch(1)
    other = data[0][0]
    data.set_epoch(0)
    torch.testing.assert_close(data[0][0], first, atol=0, rtol=0)
    assert not torch.equal(first, other)
    assert set(data[0][1].unique().tolist()) == {0, 1}


def test_training_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    training, held_out = samples(4), samples(1, first=9)
    recipe = replace(RECIPES["teacher"], epochs=2, batch=4, workers=0, warmup_steps=2, mixed_precision=False)
    whole = train_echo_dnd(TINY, recipe, LossWeights(), training, held_out, tmp_path / "whole")
    history = load_checkpoint(whole.with_name("last.safetensors"))[1].history

    class Killed(Exception):
        pass

    from train import fit

    def kill(model: torch.nn.Module) -> dict[str, float]:
        raise Killed

    data = MaskData(training, 32, 0, MaskAugmentSpec())
    torch.manual_seed(0)
    net, loss = build(TINY), echo_dnd_loss(TINY, LossWeights())
    calls = iter([lambda model: {"dice": 0.0}, kill])
    with pytest.raises(Killed):
        fit.fit(net, data, loss, lambda model: next(calls)(model), recipe, tmp_path / "cut", "dice", FACTS)
    torch.manual_seed(0)
    net = build(TINY)
    fit.fit(net, data, loss, lambda model: {"dice": 0.0}, recipe, tmp_path / "cut", "dice", FACTS)
    resumed = load_checkpoint(tmp_path / "cut" / "last.safetensors")[1].history
    assert [row["loss"] for row in resumed] == pytest.approx([row["loss"] for row in history], rel=1e-5)
    assert load_echo_dnd(whole).config == TINY


def test_a_run_starts_from_an_earlier_one(tmp_path: Path) -> None:
    training, held_out = samples(4), samples(1, first=9)
    recipe = replace(RECIPES["teacher"], epochs=1, batch=4, workers=0, warmup_steps=2)
    earlier = train_echo_dnd(TINY, recipe, LossWeights(), training, held_out, tmp_path / "earlier")
    still = replace(recipe, lr=0.0, lr_end=0.0)
    later = train_echo_dnd(TINY, still, LossWeights(), training, held_out, tmp_path / "later", init_from=earlier)
    before, after = (dict(load_echo_dnd(path).named_parameters()) for path in (earlier, later))
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, msg=name)


def test_the_weights_of_one_size_are_those_of_another() -> None:
    for config in CONFIGS.values():
        narrow = replace(config, widths=tuple(w // 4 for w in config.widths), groups=2)
        one, other = (build(c).state_dict() for c in (narrow, at_size(narrow, 256)))
        assert {n: t.shape for n, t in one.items()} == {n: t.shape for n, t in other.items()}


def test_a_trunk_starts_from_a_segmentation_network_and_from_an_echo_dnd(tmp_path: Path) -> None:
    torch.manual_seed(1)
    segmentation = SEGMENTATION_NETS["pspnet-mk"](4, 185)
    save_checkpoint(tmp_path / "seg.safetensors", {f"ema.{n}": t for n, t in segmentation.state_dict().items()}, FACTS)
    first, second = build(TINY_MOBILENET), build(TINY_MOBILENET)
    start_trunk(first, tmp_path / "seg.safetensors", IMAGES)
    save_checkpoint(tmp_path / "dnd.safetensors", {f"ema.student.{n}": t for n, t in first.state_dict().items()}, FACTS)
    start_trunk(second, tmp_path / "dnd.safetensors", IMAGES)
    wanted = segmentation.trunk.state_dict()
    for net in (first, second):
        for name, tensor in net.conditioner.trunk.state_dict().items():
            torch.testing.assert_close(tensor, wanted[name], msg=name)


def test_a_folded_imagenet_trunk_computes_the_same_while_it_trains(tmp_path: Path) -> None:
    """Its batch norms are identity in the file; left so, training would divide each channel by its spread."""
    torch.manual_seed(0)
    net = build(TINY_MOBILENET)
    trunk = net.conditioner.trunk
    assert isinstance(trunk, torch.nn.Module)
    kernels = [m.weight for m in trunk.modules() if isinstance(m, torch.nn.Conv2d)]
    folded = {f"{k}|conv|1|w": kernel.detach().numpy() for k, kernel in enumerate(kernels)}
    folded |= {f"{k}|conv|1|b": np.full(len(kernel), 0.1, np.float32) for k, kernel in enumerate(kernels)}
    folded["0|conv|1|w"] = np.repeat(folded["0|conv|1|w"], 3, 1) / 3
    np.savez(tmp_path / "v2.npz", **folded)
    start_trunk(net, tmp_path / "v2.npz", IMAGES)
    with torch.no_grad():
        evaluated, trained = trunk.eval()(IMAGES), trunk.train()(IMAGES)
    for one, other in zip(evaluated, trained):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_a_trunk_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.safetensors", {"ema.trunk.stem.0.weight": torch.zeros(32, 1, 3, 3)}, FACTS)
    with pytest.raises(DataError, match="lacks"):
        start_trunk(build(TINY_MOBILENET), tmp_path / "a.safetensors", IMAGES)
    with pytest.raises(DataError, match="'mfcm'"):
        start_trunk(build(TINY), tmp_path / "a.safetensors", IMAGES)
    with pytest.raises(DataError, match="patch 4"):
        build(replace(TINY_MOBILENET, patch=2))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "echo-dnd", "--config", "student", "--cost"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters_m"] < 3
    assert main(["train", "echo-dnd", "--config", "teacher"]) == 2
    assert "--data KIND:FOLDER" in capsys.readouterr().err
    write_camus(tmp_path / "camus", 2)
    wrong = ["train", "echo-dnd", "--data", f"camus:{tmp_path / 'camus'}", "--out", str(tmp_path / "run")]
    assert main([*wrong, "--batch", "64"]) == 2
    assert "fewer than one batch" in capsys.readouterr().err


def test_sizes_that_cannot_be_halved_are_refused() -> None:
    for size in (40, 0, -16):
        with pytest.raises(DataError, match="not a multiple of 16"):
            build(replace(TINY, size=size))
