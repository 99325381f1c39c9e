from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.cli import main
from edge.errors import DataError
from tests.train.small import write_camus
from train.data.camus import read_grades
from train.nets.quality_net import Variant
from train.reproduce.quality_report import write_report
from train.reproduce.quality_rows import (
    ABLATION,
    COHERENCE_SEED,
    FIT_SEED,
    SCALES,
    TEST_SEED,
    TRAIN_SEED,
)
from train.reproduce.quality_study import Table4, draw
from train.reproduce.quality_table4 import parser

SMALL = replace(SCALES["smoke"], real_frames=16, synthetic_loops=3, test_loops=3, test_frames=4, coherence_loops=9)


@pytest.fixture(scope="module")
def camus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("camus")
    write_camus(root, 13, view="2CH")
    (root / "valid.txt").write_text("\n".join(f"patient{k:04d}" for k in range(1, 6)))
    grades = [f"patient{k:04d},{('Good', 'Medium', 'Poor')[k % 3]}" for k in range(1, 14)]
    (root / "patients_info.csv").write_text("\n".join(["Patient,ImageQuality", *grades]))
    return root


def table(camus: Path, out: Path, *options: str) -> Table4:
    args = parser().parse_args(
        [
            "--data",
            f"camus:{camus}",
            "--valid",
            str(camus / "valid.txt"),
            "--graded",
            str(camus / "patients_info.csv"),
            "--scale",
            "smoke",
            "--out",
            str(out),
            *options,
        ]
    )
    return Table4(args, SMALL)


def test_the_ablation_is_appendix_b() -> None:
    assert len(ABLATION) == 8
    assert Variant() in ABLATION
    assert {v.attention for v in ABLATION} == {"none", "hard", "soft"}
    assert len({(v.backbone, v.head) for v in ABLATION}) == 6


def test_no_two_synthetic_sets_share_a_heart() -> None:
    starts = sorted((TRAIN_SEED, COHERENCE_SEED, FIT_SEED, TEST_SEED))
    largest = max(max(s.synthetic_loops, s.coherence_loops, s.test_loops) for s in SCALES.values())
    assert min(np.diff(starts)) >= largest


@pytest.mark.slow
def test_rows_are_kept_and_written_with_their_figures(camus: Path, tmp_path: Path) -> None:
    out, results = tmp_path / "run", tmp_path / "docs" / "results.md"
    made = table(camus, out)
    rows = made.run(ablation=False)
    assert set(rows) == {"coherence", "synthetic", "injected", "grades"}
    assert 2 <= rows["injected"]["patients"] <= 4
    assert all(0 <= fit["gamma_shift"] < 4 for fit in rows["synthetic"]["methods"].values())
    text = write_report(results, "smoke", made, rows)
    for figure in ("quality-synthetic.png", "quality-injected.png", "quality-regions.png"):
        assert (results.parent / "figures" / figure).stat().st_size > 5000
    assert (out / "real-regions.png").exists()
    assert not (results.parent / "figures" / "real-regions.png").exists()
    assert "| end-to-end |" in text
    assert "nan" not in results.read_text()
    assert str(tmp_path) not in results.read_text()

    stored = {p: p.read_text() for p in (out / "rows").iterdir()}
    (out / "rows" / "coherence.json").unlink()
    again = table(camus, out)
    assert again.run(ablation=False)["coherence"]["ssim"] == pytest.approx(rows["coherence"]["ssim"])
    for path, before in stored.items():
        assert json.loads(path.read_text())["settings"] == json.loads(before)["settings"]
    with pytest.raises(DataError, match="other settings"):
        table(camus, out, "--seed", "1").run(ablation=False)


def test_frames_are_drawn_by_seed_in_order(camus: Path, tmp_path: Path) -> None:
    training, held_out = table(camus, tmp_path).real
    assert {c.patient for c in training}.isdisjoint(c.patient for c in held_out)
    some = draw(training, 3, seed=0)
    assert [c.source for c in some] == sorted(c.source for c in some)
    assert len(draw(training, None, 0)) == len(training) == 16


def test_the_command_says_what_is_missing(camus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, message in (
        (["--data", f"camus:{camus}"], "needs --valid"),
        (["--graded", "x.csv"], "add those"),
        (["--experts", "experts:x"], "add --segmentation"),
    ):
        assert main(["reproduce", "quality-table4", *options]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(DataError, match="ImageQuality"):
        read_grades(camus / "valid.txt")
