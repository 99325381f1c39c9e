from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edge.cli import main
from edge.errors import DataError, ModelError
from tests.train.data.test_channel import WAVES, echoes, write_uff
from train.checkpoint import save_checkpoint
from train.facts import Facts
from train.losses import ssim_map
from train.nets.coherence_net import WIDTHS, CoherenceNet
from train.quality.coherence import load_coherence, psnr_db, relative_pixel_error, similarity
from train.quality.coherence_data import SIZE, CoherenceFrame, augment, open_coherence, synthetic_frame


def test_the_network_has_the_papers_characteristics() -> None:
    net = CoherenceNet().eval()
    assert (WIDTHS[0], WIDTHS[-1], net.last.in_channels) == (16, 128, 16)
    seen: list[int] = []
    for block in net.down:
        block.register_forward_hook(lambda _module, _inputs, output: seen.append(output.shape[-1]))
    with torch.inference_mode():
        found = net(torch.zeros(1, 1, 256, 256))
    assert seen == [256, 128, 64, 32, 16, 8, 4]
    assert found.shape == (1, 1, 256, 256)
    assert ((found > 0) & (found < 1)).all()


def test_ssim_closed_forms() -> None:
    a = torch.rand(2, 1, 40, 40)
    assert ssim_map(a, a).mean().item() == pytest.approx(1, abs=1e-5)
    flat, other = torch.full((1, 1, 20, 20), 0.2), torch.full((1, 1, 20, 20), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert ssim_map(flat, other).mean().item() == pytest.approx(expected, abs=1e-3)
    assert ssim_map(a, 1 - a).mean() < 0
    assert ssim_map(a, a).shape == (2, 1, 30, 30)


def test_pixel_errors() -> None:
    target = np.array([0.5, 1.0, 0.0])
    assert relative_pixel_error(target, np.array([0.4, 1.0, 0.0])) == pytest.approx(0.2 / 3)
    assert relative_pixel_error(np.zeros(1), np.array([1e-4])) == pytest.approx(1)
    assert psnr_db(target, target + 0.1) == pytest.approx(20)
    assert psnr_db(target, target) == np.inf


def test_augmentation_moves_both_and_brightens_the_picture_alone() -> None:
    frame = synthetic_frame(1)
    marked = CoherenceFrame(frame.target, frame.target, frame.sector, "p")
    moved = 0
    for seed in range(10):
        image, target = augment(marked, np.random.default_rng(seed))
        inside = (target > 0) & (image > 0)
        assert np.corrcoef(image[inside], target[inside])[0, 1] > 0.6
        moved += not np.array_equal(target, frame.target)
        black = augment(
            CoherenceFrame(frame.image, frame.target, np.zeros_like(frame.sector), "p"), np.random.default_rng(seed)
        )
        assert not black[0].any()
    assert moved > 3


def test_frames_come_from_loops_and_from_channel_data(tmp_path: Path) -> None:
    frames = list(open_coherence("synth:2@4"))
    assert [f.patient for f in frames] == ["synth00004", "synth00005"]
    for frame in frames:
        assert frame.image.shape == frame.target.shape == (SIZE, SIZE)
        assert frame.target[frame.sector].mean() > 60
    write_uff(tmp_path / "one.uff", WAVES["plane"], echoes(WAVES["plane"])[:, :, None, None])
    (measured,) = open_coherence(f"uff:{tmp_path}")
    assert measured.patient == "one"
    assert measured.target[measured.image > 200].mean() > 200  # a lone scatterer is coherent
    for wrong in ("camus:/data", "synth:many", "uff:"):
        with pytest.raises(DataError, match="synth:COUNT@SEED or uff:FOLDER"):
            list(open_coherence(wrong))


def test_similarity_of_a_network_that_is_right() -> None:
    class Right(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x + 1) / 2

    frame = synthetic_frame(2)
    same = CoherenceFrame(frame.target, frame.target, frame.sector, "p")
    found = similarity(Right(), [same])
    assert found["ssim"] == pytest.approx(1, abs=1e-4)
    assert found["rpe"] == pytest.approx(0, abs=1e-4)
    wrong = similarity(Right(), [frame])
    assert wrong["ssim_sector"] < wrong["ssim"] < 1


def test_an_epoch_of_the_command_ends_in_a_checkpoint(tmp_path: Path) -> None:
    assert main(["train", "coherence", "--data", "synth:9@0", "--epochs", "1", "--out", str(tmp_path)]) == 0
    net = load_coherence(tmp_path / "last.safetensors")
    assert isinstance(net, CoherenceNet)
    save_checkpoint(tmp_path / "other.safetensors", {"ema.x": torch.zeros(1)}, Facts(net="quality", size=256))
    with pytest.raises(ModelError, match="train coherence"):
        load_coherence(tmp_path / "other.safetensors")
