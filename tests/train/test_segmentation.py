"""`echoedge train segmentation`, `export` and `evaluate` on small files, end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.cli import main
from edge.errors import DataError
from tests.train.small import samples, write_camus
from train.checkpoint import load_checkpoint
from train.data import open_data
from train.recipes import RECIPES
from train.segmentation import (
    SegmentationData,
    accuracy,
    crop_to_sector,
    parser,
    read_sides,
    segmentation_loss,
    train_segmentation,
)


@pytest.fixture(scope="module")
def camus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("camus")
    write_camus(root, 6)
    return root


def train(camus: Path, out: Path, *options: str) -> int:
    common = ["--data", f"camus:{camus}", "--size", "89", "--epochs", "1", "--workers", "0", "--out", str(out)]
    return main(["train", "segmentation", *common, *options])


def test_train_export_evaluate(camus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(camus, tmp_path / "run", "--net", "pspnet-m", "--recipe", "modern") == 0
    facts = load_checkpoint(tmp_path / "run" / "last.safetensors")[1]
    assert facts.net == "pspnet-m"
    assert facts.recipe == "modern"
    assert len(facts.validation_patients) == 1
    assert facts.training_frames == 10
    assert (
        main(["export", str(tmp_path / "run/last.safetensors"), "--name", "m", "--out", str(tmp_path / "model")]) == 0
    )
    capsys.readouterr()
    command = [
        "evaluate",
        "--model",
        str(tmp_path / "model"),
        "--data",
        f"camus:{camus}",
        "--backend",
        "onnxruntime",
        "--json",
        "--results",
        str(tmp_path / "results.md"),
    ]
    assert main(command) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["n"] == 12
    assert set(result["dice"]) == {"lv", "myo", "la", "epi"}
    assert main(command) == 0
    written = (tmp_path / "results.md").read_text()
    assert written.count("## m fp32 on camus, A4C") == 1
    assert f"| all | 12 | lv | {result['dice']['lv']:.4f} (" in written
    assert "training frames 10, epochs 1, seed 0" in written


def test_two_classes_and_pretraining(camus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(camus, tmp_path / "a", "--net", "pspnet-m", "--classes", "2") == 0
    start = ["--init-kind", "T", "--init-from", str(tmp_path / "a" / "last.safetensors")]
    assert train(camus, tmp_path / "b", "--net", "pspnet-m", "--classes", "2", *start) == 0
    facts = load_checkpoint(tmp_path / "b" / "last.safetensors")[1]
    assert (facts.init, facts.classes) == ("T", ("background", "LV"))
    assert set(facts.history[0]) == {"epoch", "loss", "seconds", "lv", "mean", "miou"}
    assert train(camus, tmp_path / "b", "--net", "pspnet-m", "--lr", "0.5", "--classes", "2", *start) == 2
    assert "lr 0.01 there, 0.5 asked" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "224"], "use 185 or 281"),
        (["--init-kind", "Q"], "needs a file"),
        (["--valid", "absent.txt"], "cannot read the split file"),
        (["--batch", "16"], "fewer than one batch"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    camus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert train(camus, tmp_path, *options) == 2
    assert message in capsys.readouterr().err


def test_the_paper_recipe_is_the_default() -> None:
    assert parser().parse_args(["--data", "camus:x", "--out", "y"]).recipe == "paper"
    fit = RECIPES["paper"].fit
    assert (fit.optimizer, fit.lr, fit.lr_end, fit.weight_decay, fit.batch, fit.epochs) == (
        "sgd",
        1e-2,
        1e-4,
        1e-4,
        8,
        30,
    )
    assert RECIPES["paper"].loss == "cross-entropy"
    assert RECIPES["paper"].augment is None


def test_a_patient_on_both_sides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="patient0002"):
        train_segmentation("pspnet-m", samples(2), samples(2)[2:], RECIPES["paper"], 89, 2, tmp_path)


def test_lv_only_data_cannot_train_four_classes(tmp_path: Path) -> None:
    only_lv = [replace(s, mask=(s.mask == 1).astype(np.uint8)) for s in samples(2)]
    with pytest.raises(DataError, match="--classes 2"):
        train_segmentation("pspnet-m", only_lv[:2], only_lv[2:], RECIPES["paper"], 89, 4, tmp_path)


def test_validation_may_be_a_data_set_of_its_own(camus: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="6 patients are in both"):
        read_sides([f"camus:{camus}"], f"camus:{camus}", None, 0, open_data)
    training, validation = read_sides([f"camus:{camus}"], None, None, 0, open_data)
    assert {s.patient for s in training}.isdisjoint(s.patient for s in validation)
    assert len(training) + len(validation) == 12


def test_frames_are_the_same_each_epoch_only_without_augmentation() -> None:
    plain = SegmentationData(samples(1), 89, 0, None, 2)
    moved = SegmentationData(samples(1), 89, 0, RECIPES["modern"].augment, 2)
    for data, same in ((plain, True), (moved, False)):
        before = data[0][0]
        data.set_epoch(1)
        assert torch.equal(before, data[0][0]) == same
        assert data[0][0].shape == (1, 89, 89)
        assert set(data[0][1].unique().tolist()) == {0, 1}


def test_accuracy_of_a_perfect_network() -> None:
    """A network that reads the class off the grey level scores 1 everywhere."""

    class Oracle(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.levels = torch.nn.Parameter(torch.arange(4) / 127.5 - 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return -((x - self.levels[None, :, None, None]) ** 2)

    mask = samples(1)[0].mask[:89, :89]
    assert accuracy(Oracle(), [(mask, mask)]) == {"lv": 1.0, "myo": 1.0, "la": 1.0, "mean": 1.0, "miou": 1.0}


def test_a_batch_tells_what_each_frame_annotates(tmp_path: Path) -> None:
    lv_alone = [replace(s, mask=(s.mask == 1).astype(np.uint8), known=(1,)) for s in samples(1)]
    data = SegmentationData([*samples(1), *lv_alone], 89, 0, None)
    assert [known.tolist() for _, _, known in data] == [[True] * 4] * 2 + [[True, True, False, False]] * 2  # type: ignore[attr-defined]
    assert SegmentationData(lv_alone, 89, 0, None, 2)[0][2].tolist() == [True, True]


def test_frames_with_the_lv_alone_do_not_unteach_wall_and_atrium() -> None:
    """The loss of such frames is the same, however a network calls what lies outside the LV."""

    class Says(torch.nn.Module):
        def __init__(self, mask: np.ndarray) -> None:
            super().__init__()
            self.logits = 9.0 * torch.nn.functional.one_hot(torch.from_numpy(mask).long(), 4).permute(2, 0, 1)[None]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.logits

    whole = samples(1)[0]
    drawn = replace(whole, mask=(whole.mask == 1).astype(np.uint8), known=(1,))
    batch = [part[None] for part in SegmentationData([drawn], 89, 0, None)[0]]
    mask = crop_to_sector(whole, 89)[1]
    right, bare = (segmentation_loss("dice-cross-entropy")(Says(m), batch) for m in (mask, mask * (mask == 1)))
    assert right.item() == pytest.approx(bare.item(), abs=2e-3)
    assert right.item() < 0.01


def test_accuracy_leaves_out_what_is_not_annotated() -> None:
    class Whole(torch.nn.Module):
        def __init__(self, mask: np.ndarray) -> None:
            super().__init__()
            self.logits = torch.nn.Parameter(
                torch.nn.functional.one_hot(torch.from_numpy(mask).long(), 4).permute(2, 0, 1)[None].float()
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.logits

    image, mask = crop_to_sector(samples(1)[0], 89)
    pair = (image, mask * (mask == 1))
    assert accuracy(Whole(mask), [pair], known=[(1,)]) == {"lv": 1.0, "mean": 1.0, "miou": 1.0}
    assert accuracy(Whole(mask), [pair])["myo"] == 0.0


def test_a_class_that_no_training_frame_annotates_cannot_be_learnt(tmp_path: Path) -> None:
    without_la = [replace(s, known=(1, 2)) for s in samples(2)]
    with pytest.raises(DataError, match="the training data have no LA; add data that have"):
        train_segmentation("pspnet-m", without_la[:2], without_la[2:], RECIPES["paper"], 89, 4, tmp_path)
