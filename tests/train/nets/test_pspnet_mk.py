from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from edge.errors import DataError
from train.nets import NETS
from train.nets.imagenet import load_imagenet
from train.nets.mobilenet_v2 import Trunk
from train.nets.pspnet_mk import PSPNetMK, check_size, upsample


def macs(net: torch.nn.Module, size: int) -> int:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net.eval()(torch.zeros(1, 1, size, size))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("name", "size", "parameters_m", "gmac"), [("pspnet-mk", 473, 2.39, 2.48), ("quality", 256, 2.23, 0.39)]
)
def test_parameters_and_macs_at_run_time(name: str, size: int, parameters_m: float, gmac: float) -> None:
    net = NETS[name]()
    counted = sum(p.numel() for n, p in net.named_parameters() if not n.startswith("auxiliary"))
    assert counted / 1e6 == pytest.approx(parameters_m, abs=0.01)
    assert macs(net, size) / 1e9 == pytest.approx(gmac, abs=0.02)


def test_output_stride_is_sixteen_and_the_auxiliary_head_leaves_at_evaluation() -> None:
    net = PSPNetMK(classes=2, size=89)
    frame = torch.zeros(2, 1, 89, 89)
    logits, auxiliary = net.train()(frame)
    assert logits.shape == auxiliary.shape == (2, 2, 6, 6)
    evaluated = net.eval()(frame)
    assert upsample(evaluated, 89).shape == (2, 2, 89, 89)


@pytest.mark.parametrize("size", [89, 185, 281, 377, 473])
def test_sizes_that_pyramid_pooling_divides(size: int) -> None:
    check_size(size)


@pytest.mark.parametrize(("size", "better"), [(256, "185 or 281"), (480, None), (512, "473 or 569"), (64, "89 or 185")])
def test_other_sizes_name_the_nearest_good_ones(size: int, better: str | None) -> None:
    if better is None:
        check_size(size)
        return
    with pytest.raises(ValueError, match=f"use {better}"):
        PSPNetMK(size=size)


def folded_weights(trunk: Trunk) -> dict[str, np.ndarray]:
    """A made-up ImageNet file of the trunk's shapes, in the documented layout."""
    rng = np.random.default_rng(0)
    arrays = {}
    convolutions = [m for m in trunk.modules() if isinstance(m, torch.nn.Conv2d)]
    for index, conv in enumerate(convolutions):
        shape = (conv.out_channels, 3, 3, 3) if index == 0 else tuple(conv.weight.shape)
        kind = "dw" if conv.groups > 1 else "conv"
        arrays[f"{index}|{kind}|{conv.stride[0]}|w"] = rng.standard_normal(shape).astype(np.float32)
        arrays[f"{index}|{kind}|{conv.stride[0]}|b"] = rng.standard_normal(shape[0]).astype(np.float32)
    return arrays


def check_layer_by_layer(trunk: Trunk, path: Path) -> None:
    """Each convolution with its norm computes what the folded weights say."""
    arrays = np.load(path)
    weights = {int(k.split("|")[0]): torch.from_numpy(arrays[k]) for k in arrays.files if k.endswith("w")}
    biases = {int(k.split("|")[0]): torch.from_numpy(arrays[k]) for k in arrays.files if k.endswith("b")}
    modules = list(trunk.eval().modules())
    pairs = [(m, modules[k + 1]) for k, m in enumerate(modules) if isinstance(m, torch.nn.Conv2d)]
    for index, (conv, norm) in enumerate(pairs):
        x = torch.randn(1, conv.in_channels, 9, 9)
        weight = weights[index].sum(1, keepdim=True) if index == 0 else weights[index]
        expected = torch.nn.functional.conv2d(
            x, weight, biases[index], conv.stride, conv.padding, conv.dilation, conv.groups
        )
        torch.testing.assert_close(norm(conv(x)), expected, rtol=1e-4, atol=1e-4)


def test_imagenet_weights_layer_by_layer(tmp_path: Path) -> None:
    trunk = PSPNetMK().trunk
    np.savez(tmp_path / "w.npz", **folded_weights(trunk))
    assert load_imagenet(trunk, tmp_path / "w.npz") == 51
    check_layer_by_layer(trunk, tmp_path / "w.npz")


@pytest.mark.data
def test_the_published_imagenet_weights_layer_by_layer(shared_data: Path) -> None:
    path = shared_data / "weights/mobilenet_v2_1.0_224_imagenet.npz"
    trunk = Trunk()
    assert load_imagenet(trunk, path) == 51
    check_layer_by_layer(trunk, path)


def test_strange_weights_are_refused_by_layer(tmp_path: Path) -> None:
    arrays = folded_weights(Trunk())
    arrays["3|conv|1|w"] = arrays.pop(next(k for k in arrays if k.startswith("3|") and k.endswith("w")))[:4]
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(DataError, match="layer 3"):
        load_imagenet(Trunk(), tmp_path / "w.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match=r"is not an \.npz"):
        load_imagenet(Trunk(), tmp_path / "text.npz")
