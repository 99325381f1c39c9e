from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.cli import main
from edge.errors import DataError
from tests.train.diffusion.tiny import TINY, TINY_STUDENT, lively, write
from tests.train.small import samples
from train.checkpoint import load_checkpoint
from train.diffusion import consensus as module
from train.diffusion.consensus import blend, consensus
from train.diffusion.data import MaskData
from train.diffusion.student import TRUTH_ALONE, DistillWeights, StudentPass, distill_loss
from train.distill import distill
from train.echo_dnd import RECIPES, load_echo_dnd

RECIPE = replace(RECIPES["student"], epochs=1, batch=4, workers=0, warmup_steps=1, mixed_precision=False)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("teacher") / "teacher.safetensors", TINY)


def run(teacher: Path, folder: Path, weights: DistillWeights = DistillWeights(), labels: float = 1.0) -> Path:  # noqa: B008
    return distill(
        teacher,
        TINY_STUDENT,
        RECIPE,
        weights,
        samples(4),
        samples(1, first=9),
        folder,
        samples=2,
        steps=2,
        labels=labels,
    )


def test_a_student_is_distilled_and_loaded(teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    best = run(teacher, tmp_path)
    assert load_echo_dnd(best).config == TINY_STUDENT
    facts = load_checkpoint(best)[1]
    assert facts.labelled_patients == 4
    assert facts.consensus == {"samples": 2, "steps": 2}

    def made_again(*_: object) -> np.ndarray:
        raise AssertionError("the stored consensus is not used")

    best.with_name("last.safetensors").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(module, "consensus", made_again)
        run(teacher, tmp_path)
        with pytest.raises(AssertionError, match="not used"):
            distill(
                teacher,
                TINY_STUDENT,
                RECIPE,
                DistillWeights(),
                samples(5),
                samples(1, first=9),
                tmp_path / "other",
                samples=2,
                steps=2,
            )


def test_the_consensus_is_a_mean_that_repeats() -> None:
    net = lively(TINY)
    images = [torch.zeros(1, 32, 32), torch.ones(1, 32, 32)]
    found = consensus(net, images, samples=2, grid=(999, 300))
    assert found.shape == (2, 32, 32)
    assert found.dtype == np.uint8
    assert (found == consensus(net, images, samples=2, grid=(999, 300))).all()
    assert (found != consensus(net, images, samples=2, grid=(999, 300), seed=1)).any()


def test_targets_blend_the_expert_with_the_teacher() -> None:
    data = MaskData(samples(2), 32, 0, None)
    maps = np.full((4, 32, 32), 200, np.uint8)
    expert = data.pairs[0][1].copy()
    blend(data, maps, truth=0.5, labelled=[True, False, True, True])
    known, unknown = data[0], data[1]
    assert known[2][torch.from_numpy(expert) > 0].unique().tolist() == pytest.approx([0.5 + 0.5 * 200 / 255], abs=0.01)
    assert known[2][torch.from_numpy(expert) == 0].unique().tolist() == pytest.approx([0.5 * 200 / 255], abs=0.01)
    assert unknown[2].unique().tolist() == pytest.approx([200 / 255], abs=0.01)
    assert unknown[1].all(), "an unlabelled frame's mask is the consensus cut at one half"


@pytest.mark.parametrize("weights", [DistillWeights(), TRUTH_ALONE, DistillWeights(own_states=1.0)])
def test_each_term_reaches_the_student(weights: DistillWeights) -> None:
    torch.manual_seed(0)
    teacher = lively(TINY) if weights.hint else None
    net = StudentPass(lively(TINY_STUDENT).train(), teacher.conditioner.channels[:2] if teacher else ())
    batch = [torch.rand(2, 1, 32, 32), (torch.rand(2, 32, 32) < 0.5).long(), torch.rand(2, 32, 32)]
    value = distill_loss(teacher, weights)(net, batch)
    value.backward()
    assert torch.isfinite(value)
    assert [n for n, p in net.named_parameters() if p.grad is None] == []
    assert len(net.hints) == (2 if weights.hint else 0)


def test_scarce_labels(teacher: Path, tmp_path: Path) -> None:
    assert load_checkpoint(run(teacher, tmp_path, labels=0.5))[1].labelled_patients == 2


def test_a_student_starts_from_an_earlier_one(teacher: Path, tmp_path: Path) -> None:
    earlier = run(teacher, tmp_path / "earlier", TRUTH_ALONE)
    still = replace(RECIPE, lr=0.0, lr_end=0.0)
    later = distill(
        teacher,
        TINY_STUDENT,
        still,
        TRUTH_ALONE,
        samples(4),
        samples(1, first=9),
        tmp_path / "later",
        2,
        2,
        init_from=earlier,
    )
    before, after = (dict(load_echo_dnd(path).named_parameters()) for path in (earlier, later))
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, msg=name)


def test_what_cannot_be_distilled_is_refused(teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="predicts x0"):
        distill(teacher, TINY, RECIPE, DistillWeights(), samples(2), samples(1, first=9), tmp_path, 1, 1)
    assert main(["distill", "absent.safetensors", "--data", "camus:/absent", "--out", str(tmp_path)]) == 2
    larger = replace(TINY_STUDENT, size=64)
    with pytest.raises(DataError, match="other sizes"):
        distill(teacher, larger, RECIPE, DistillWeights(), samples(2), samples(1, first=9), tmp_path, 1, 1)
