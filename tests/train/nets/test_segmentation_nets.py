from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from edge.errors import DataError
from train.checkpoint import save_checkpoint
from train.facts import Facts
from train.initialise import initialise
from train.losses import SEGMENTATION_LOSSES
from train.nets import SEGMENTATION_NETS
from train.nets.imagenet import TORCHVISION_MEAN, TORCHVISION_STD, load_torchvision, unfold_norms
from train.nets.mobilenet_v2 import DepthwiseConv, Trunk
from train.nets.pspnet_mk import upsample
from train.nets.resnet import ResNet
from train.segmentation import segmentation_loss

SIZE = 89
FACTS = Facts(net="unet", size=SIZE, classes=("background", "LV"))
COUNTS = {
    "vgg": (17_080_646, 68.2),
    "unet": (7_849_058, 47.2),
    "res-u": (24_423_042, 25.3),
    "pspnet-r": (48_936_900, 45.1),
    "pspnet-m": (2_416_964, 2.47),
    "pspnet-mk": (2_432_644, 2.48),
}
"""Parameters, and GMAC at the paper's 473 px, with two classes."""


@pytest.mark.parametrize("name", SEGMENTATION_NETS)
def test_parameters_and_macs(name: str) -> None:
    with torch.device("meta"):
        net = SEGMENTATION_NETS[name](2, 473).eval()
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, 1, 473, 473))
    parameters, gmac = COUNTS[name]
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, rel=0.005)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", SEGMENTATION_NETS)
def test_calling_convention(name: str, classes: int) -> None:
    torch.manual_seed(0)
    net = SEGMENTATION_NETS[name](classes, SIZE)
    image, mask = torch.randn(2, 1, SIZE, SIZE), torch.randint(0, classes, (2, SIZE, SIZE))
    value = segmentation_loss("dice-cross-entropy")(net, [image, mask])
    value.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    with torch.inference_mode():
        logits = net.eval()(image)
    assert logits.shape[:2] == (2, classes)
    assert upsample(logits, SIZE).shape == (2, classes, SIZE, SIZE)


def test_the_auxiliary_head_weighs_two_fifths() -> None:
    class Two(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.cat([x, -x], 1), torch.cat([-x, x], 1)

    image, mask = torch.randn(1, 1, 4, 4), torch.randint(0, 2, (1, 4, 4))
    criterion = SEGMENTATION_LOSSES["cross-entropy"]
    main, auxiliary = (criterion(logits, mask, None) for logits in Two()(image))
    assert segmentation_loss("cross-entropy")(Two(), [image, mask]).item() == pytest.approx(
        float(main + 0.4 * auxiliary)
    )


@pytest.mark.parametrize("name", ["pspnet-r", "pspnet-m", "pspnet-mk"])
def test_sizes_that_pyramid_pooling_cannot_divide_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="use 185 or 281"):
        SEGMENTATION_NETS[name](2, 224)


def test_pretrained_weights_start_a_network_of_other_classes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    before = SEGMENTATION_NETS["pspnet-m"](4, SIZE)
    save_checkpoint(tmp_path / "a.safetensors", {f"ema.{n}": t for n, t in before.state_dict().items()}, FACTS)
    after = SEGMENTATION_NETS["pspnet-m"](2, SIZE)
    loaded = initialise(after, "T", tmp_path / "a.safetensors")
    assert loaded == len(before.state_dict()) - 4  # the weights and biases of both classifiers differ
    assert torch.equal(after.trunk.stem[0].weight, before.trunk.stem[0].weight)
    with pytest.raises(DataError, match="of the same network"):
        initialise(SEGMENTATION_NETS["unet"](2, SIZE), "T", tmp_path / "a.safetensors")


def test_torchvision_weights_give_the_same_stem_on_grey(tmp_path: Path) -> None:
    """Away from the border, the grey stem computes what the colour stem does on the image normalised for it."""
    torch.manual_seed(0)
    colour, grey = ResNet(34, channels_in=3).eval(), ResNet(34).eval()
    for norm in (m for m in colour.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_()
    # In torchvision's files, too, the stem's names come before the numbered layers'.
    state = {name.replace("stem.", "conv."): tensor for name, tensor in colour.state_dict().items()}
    save_file({**state, "fc.weight": torch.zeros(1000, 512)}, tmp_path / "resnet34.safetensors")
    assert load_torchvision(grey, tmp_path / "resnet34.safetensors") == 36
    image = torch.rand(1, 1, 32, 32)
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (TORCHVISION_MEAN, TORCHVISION_STD))
    with torch.inference_mode():
        expected, found = colour.stem((image - mean) / std), grey.stem(image * 2 - 1)
    torch.testing.assert_close(found[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], rtol=1e-4, atol=1e-4)
    assert torch.equal(grey.stages[3][2].layers[0][0].weight, colour.stages[3][2].layers[0][0].weight)


def test_unfolded_norms_compute_the_same_in_training_and_evaluation() -> None:
    torch.manual_seed(0)
    trunk = Trunk()
    for norm in (m for m in trunk.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.bias.data.normal_()
        norm.running_var.fill_(1 - norm.eps)
    images = torch.randn(4, 1, 64, 64)
    with torch.no_grad():
        folded = trunk.eval()(images)
        unfold_norms(trunk, trunk, images)
        evaluated, trained = trunk.eval()(images), trunk.train()(images)
    for expected, *found in zip(folded, evaluated, trained):
        for values in found:
            torch.testing.assert_close(values, expected, rtol=1e-3, atol=1e-3)


def test_imagenet_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    save_file(ResNet(34).state_dict(), tmp_path / "resnet34.safetensors")
    with pytest.raises(DataError, match="are needed"):
        initialise(SEGMENTATION_NETS["pspnet-r"](2, SIZE), "Q", tmp_path / "resnet34.safetensors")
    with pytest.raises(DataError, match="U-Net's own encoder"):
        initialise(SEGMENTATION_NETS["unet"](2, SIZE), "Q", tmp_path / "resnet34.safetensors")
    with pytest.raises(DataError, match="needs a file"):
        initialise(SEGMENTATION_NETS["pspnet-r"](2, SIZE), "Q", None)
    np.savez(tmp_path / "v2.npz", **{"0|conv|2|w": np.zeros((32, 3, 5, 5), np.float32)})
    with pytest.raises(DataError, match="layer 0"):
        initialise(SEGMENTATION_NETS["pspnet-m"](2, SIZE), "Q", tmp_path / "v2.npz")


@pytest.mark.parametrize("dilation", [2, 3, 5])
@pytest.mark.parametrize("shape", [(18, 18), (17, 23)])
def test_a_dilated_depthwise_convolution_trains_as_it_runs(dilation: int, shape: tuple[int, int]) -> None:
    conv, x = DepthwiseConv(6, dilation=dilation), torch.randn(2, 6, *shape)
    results = []
    for training in (True, False):
        conv.train(training)
        conv.zero_grad()
        given = x.clone().requires_grad_()
        out = conv(given)
        (out * out.detach().cos()).sum().backward()
        assert conv.weight.grad is not None
        assert given.grad is not None
        results.append((out.detach(), conv.weight.grad.clone(), given.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
