"""The .npz of MobileNetV2 from state dicts named as torchvision's and timm's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edge.cli import main
from edge.errors import DataError
from train.imagenet import Layer, folded, read_state, timm_layers, torchvision_layers
from train.nets.imagenet import TORCHVISION_MEAN, TORCHVISION_STD, load_imagenet
from train.nets.mobilenet_v2 import Trunk


def published(layers: list[Layer]) -> tuple[Trunk, dict[str, torch.Tensor]]:
    """A trunk of three colours with made-up weights and norms, and its state dict under a library's names."""
    generator = torch.Generator().manual_seed(0)
    trunk = Trunk(channels_in=3).eval()
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                assert tensor is not None
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    modules = list(trunk.modules())
    pairs = [(m, modules[k + 1]) for k, m in enumerate(modules) if isinstance(m, nn.Conv2d)]
    head = (nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280))
    state: dict[str, torch.Tensor] = {}
    for (conv, norm), (conv_name, norm_name, *_) in zip([*pairs, head], layers, strict=True):
        state |= {f"{conv_name}.{name}": tensor.contiguous() for name, tensor in conv.state_dict().items()}
        state |= {f"{norm_name}.{name}": tensor for name, tensor in norm.state_dict().items()}
    return trunk, state


@pytest.mark.parametrize("layers", [torchvision_layers, timm_layers])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_the_network_computes_what_the_published_one_does(
    tmp_path: Path, layers: Callable[[], list[Layer]], suffix: str
) -> None:
    trunk, state = published(layers())
    source, out = tmp_path / f"mobilenet.{suffix}", tmp_path / "made/mobilenet_v2.npz"
    save_file(state, source) if suffix == "safetensors" else torch.save(state, source)
    assert main(["weights", "imagenet", "--from", str(source), "--out", str(out)]) == 0
    ours = Trunk(channels_in=3).eval()
    assert load_imagenet(ours, out) == 51
    rgb = torch.rand(1, 3, 33, 33)
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (TORCHVISION_MEAN, TORCHVISION_STD))
    with torch.no_grad():
        inside = (..., slice(1, -1), slice(1, -1))  # at the border, padding means another grey
        torch.testing.assert_close(ours.stem(2 * rgb - 1)[inside], trunk.stem((rgb - mean) / std)[inside])
        x = y = trunk.stem((rgb - mean) / std)
        for mine, theirs in zip(ours.stages, trunk.stages, strict=True):
            x, y = mine(x), theirs(y)
            torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-3)


def test_the_names_are_the_libraries() -> None:
    torchvision, timm = torchvision_layers(), timm_layers()
    assert len(torchvision) == len(timm) == 52
    assert torchvision[1:4] == [
        ("features.1.conv.0.0", "features.1.conv.0.1", "dw", 1),
        ("features.1.conv.1", "features.1.conv.2", "conv", 1),
        ("features.2.conv.0.0", "features.2.conv.0.1", "conv", 1),
    ]
    assert torchvision[-1][:2] == ("features.18.0", "features.18.1")
    assert timm[1:5] == [
        ("blocks.0.0.conv_dw", "blocks.0.0.bn1", "dw", 1),
        ("blocks.0.0.conv_pw", "blocks.0.0.bn2", "conv", 1),
        ("blocks.1.0.conv_pw", "blocks.1.0.bn1", "conv", 1),
        ("blocks.1.0.conv_dw", "blocks.1.0.bn2", "dw", 2),
    ]
    assert [layer[2:] for layer in torchvision] == [layer[2:] for layer in timm]


def test_what_is_not_mobilenet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not MobileNetV2 1\.0 .* it has no features\.0\.0\.weight"):
        folded({"conv1.weight": torch.zeros(1)})
    (tmp_path / "a.pth").write_bytes(b"no pickle")
    with pytest.raises(DataError, match="is not a state dict"):
        read_state(tmp_path / "a.pth")
    torch.save({}, tmp_path / "net-00000000.pth")
    with pytest.raises(DataError, match=r"not the 00000000… in its name"):
        read_state(tmp_path / "net-00000000.pth")
