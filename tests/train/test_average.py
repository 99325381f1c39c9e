from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edge.cli import main
from train.checkpoint import load_checkpoint, save_checkpoint
from train.facts import Facts


def checkpoint(path: Path, value: float, net: str = "pspnet-m") -> Path:
    save_checkpoint(
        path, {"ema.w": torch.full((2,), value), "ema.count": torch.tensor(int(value))}, Facts(net=net, size=64)
    )
    return path


def test_weights_are_averaged_and_counts_are_the_last_ones(tmp_path: Path) -> None:
    paths = [str(checkpoint(tmp_path / f"{k}.safetensors", k)) for k in (1.0, 2.0, 6.0)]
    assert main(["average", *paths, "--out", str(tmp_path / "mean.safetensors")]) == 0
    tensors, facts = load_checkpoint(tmp_path / "mean.safetensors")
    assert tensors["ema.w"].tolist() == [3.0, 3.0]
    assert int(tensors["ema.count"]) == 6
    assert list(facts.averaged) == paths


def test_other_networks_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = checkpoint(tmp_path / "a.safetensors", 1), checkpoint(tmp_path / "b.safetensors", 1, "unet")
    assert main(["average", str(one), str(other), "--out", str(tmp_path / "c.safetensors")]) == 2
    assert "different networks" in capsys.readouterr().err
    assert not (tmp_path / "c.safetensors").exists()
