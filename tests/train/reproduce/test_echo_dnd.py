from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.cli import main
from edge.preprocess import Frame
from tests.train.diffusion.tiny import TINY, TINY_STUDENT, write
from tests.train.small import samples, write_camus
from train.diffusion.data import crop_pair
from train.evaluate.refine import main as evaluate_refine
from train.evaluate.refine import measure, torch_estimator
from train.reproduce import echo_dnd, echo_dnd_students
from train.reproduce.echo_dnd_students import STUDENTS
from train.reproduce.echo_dnd_study import BASE, SCALES, VARIANTS


def test_the_papers_rows() -> None:
    printed = {v.name: v.paper[2] for v in VARIANTS if v.paper}
    assert printed == {
        "Echo-DND": 0.962,
        "conditioned by a U-Net": 0.958,
        "L_G + L_B": 0.951,
        "L_G + L_B + KL": 0.955,
        "only Gaussian": 0.949,
        "only Bernoulli": 0.954,
    }


def test_rows_are_kept_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_camus(tmp_path / "camus", 6)
    recipe = replace(SCALES["smoke"].recipe, mixed_precision=False)
    smoke = replace(SCALES["smoke"], config=TINY, recipe=recipe)
    monkeypatch.setitem(echo_dnd.SCALES, "smoke", smoke)
    monkeypatch.setattr(echo_dnd_students, "SCARCE", 0.5)
    student = write(tmp_path / "student.safetensors", TINY_STUDENT)
    monkeypatch.chdir(tmp_path)
    real = tmp_path / "docs" / "results.md"
    real.parent.mkdir()
    real.write_text("the figures of a real run")
    argv = [
        "--data",
        f"camus:{tmp_path / 'camus'}",
        "--scale",
        "smoke",
        "--out",
        str(tmp_path / "out"),
        "--rows",
        BASE.name,
        "only Bernoulli",
        "--student",
        str(student),
    ]
    assert echo_dnd.main(argv) == 0
    assert real.read_text() == "the figures of a real run"
    text = (tmp_path / "out" / "results.md").read_text()
    for row in ("U-Net alone", "SCC head alone", "Echo-DND", "only Bernoulli", *(s.name for s in STUDENTS)):
        assert f"| {row} |" in text
    assert "| student | 4 | 2 |" in text
    assert "| scarce masks alone | 4 of 4 |" in text
    assert "| scarce, all terms | 4 of 8 |" in text
    assert "nan" not in text
    assert str(tmp_path) not in text
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "rows").iterdir()}
    assert echo_dnd.main(argv) == 0
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    assert echo_dnd.main([*argv, "--seed", "0"]) == 0
    # another teacher's steps are measured, not read from those of the first
    teacher = write(tmp_path / "teacher.safetensors", TINY)
    assert echo_dnd.main([*argv, "--teacher", str(teacher)]) == 0
    fresh = {p.name for p in (tmp_path / "out" / "rows").iterdir()} - {p.name for p in kept}
    assert len(fresh) == len(smoke.steps)
    assert all(name.startswith("teacher-") for name in fresh)


def test_too_few_frames_are_told_before_anything_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_camus(tmp_path / "camus", 6)
    argv = ["reproduce", "echo-dnd", "--data", f"camus:{tmp_path / 'camus'}", "--scale", "smoke"]
    out = tmp_path / "out"
    assert main([*argv, "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert "the students with scarce masks would have 2 frames, from 1 of 4 patients, fewer than one batch of 4" in told
    assert "--rows without 'Echo-DND'" in told
    assert not out.exists()


def test_a_perfect_answer_measures_as_perfect() -> None:
    """Through crop, network size and back: what is lost is the coarser border."""
    frames = samples(2)
    answers = iter([crop_pair(s, 64)[1].astype(np.float32)[None] for s in frames])

    def estimate(image: Frame) -> np.ndarray:
        assert image.shape == (1, 1, 64, 64)
        return next(answers)

    found = measure(estimate, frames, 64)
    assert found["n"] == 4
    assert found["dice"] > 0.96
    assert found["ece"] < 0.02
    assert found["ece"] < found["ece_band"]
    assert found["auroc"] > 0.9
    assert found["dice_ed"] == pytest.approx(found["dice_es"], abs=0.02)


def test_a_checkpoint_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_camus(tmp_path / "camus", 2)
    teacher = write(tmp_path / "teacher.safetensors", TINY)
    common = [str(teacher), "--data", f"camus:{tmp_path / 'camus'}", "--frames", "3", "--json"]
    assert evaluate_refine([*common, "--steps", "1", "3", "--samples", "2", "--fusion", "staple"]) == 0
    assert '"3 steps"' in capsys.readouterr().out
    assert evaluate_refine([*common, "--fusion", "scc"]) == 0
    assert main(["evaluate", "refine", str(teacher), "--data", "camus:/absent"]) == 2


def test_draws_differ_and_repeat() -> None:
    from tests.train.diffusion.tiny import lively

    net = lively(TINY_STUDENT)
    image = np.random.default_rng(0).integers(0, 256, (1, 1, 32, 32), np.uint8)
    first = torch_estimator(net, 4, 3)(image)
    assert first.shape == (3, 32, 32)
    assert np.abs(first[0] - first[1]).max() > 1e-3
    np.testing.assert_array_equal(first, torch_estimator(net, 4, 3)(image))
