from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cli import main
from edge.heart.regions import REGIONS
from tests.phantom import apical_frame
from tests.train.quality.test_crops import SIZE
from tests.train.small import write_camus

MODELS = Path(__file__).resolve().parents[3] / "models"
QUALITY = ["evaluate", "quality", "--model", str(MODELS / "quality")]
SEGMENTATION = ["--segmentation", str(MODELS / "pspnet-mk")]


def write_annotators(root: Path) -> list[Path]:
    folders = [root / name for name in ("one", "two", "three", "training")]
    rng = np.random.default_rng(0)
    for folder in folders:
        folder.mkdir()
        rows = [",".join(["image", "patient", "view", *REGIONS])]
        for k in range(3):
            cv2.imwrite(str(folder / f"{k}.png"), apical_frame(seed=k, size=SIZE))
            rows.append(f"{k}.png,p{k},A4C," + ",".join(map(str, rng.integers(1, 6, 8))))
        (folder / "quality.csv").write_text("\n".join(rows))
    return folders


def test_three_observers_and_three_methods(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *observers, training = write_annotators(tmp_path)
    options = [part for folder in observers for part in ("--annotator", str(folder))]
    figure = tmp_path / "steps.png"
    code = main([*QUALITY, *SEGMENTATION, *options, "--fit", f"experts:{training}", "--figure", str(figure), "--json"])
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == found["annotators"] == 3
    assert {"observers", "gCNR", "end-to-end"} <= set(found["table"])
    assert found["table"]["observers"]["n"] == 3 * 3 * 8
    assert figure.stat().st_size > 3000
    assert main([*QUALITY, *SEGMENTATION, *options]) == 0
    shown = capsys.readouterr().out
    assert "3 shared frames" in shown
    assert "gCNR" not in shown


def test_agreement_with_exact_labels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUALITY, "--data", "synth:3@7", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert -1 <= found["all"]["spearman"] <= 1
    assert found["all"]["shift at gamma 0.9"] > 0
    assert main([*QUALITY, "--data", "synth:3@7"]) == 0
    assert "Spearman" in capsys.readouterr().out


def test_the_relation_to_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_camus(tmp_path, 7)
    assert main([*QUALITY, *SEGMENTATION, "--relation", f"camus:{tmp_path}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["A4C"]["n"] == 14
    assert set(found["A4C"]["dice"]) == {"dice_lv", "dice_myo"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--relation", "camus:x"], "add --segmentation"),
        ([*SEGMENTATION, "--annotator", "x", "--fit", "camus:x"], "write experts:FOLDER"),
    ],
)
def test_what_is_missing_is_said(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUALITY, *options]) == 2
    assert message in capsys.readouterr().err
