from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.cli import main
from edge.model import Segmenter, open_model
from train.data.clips import clip_of
from train.evaluate_clips import evaluate_clip


def test_the_shipped_network_on_a_clip(model_folders: dict[str, Path]) -> None:
    with open_model(model_folders["pspnet-mk"], threads=1) as segmenter:
        assert isinstance(segmenter, Segmenter)
        row = evaluate_clip(segmenter, clip_of(11, 4))
    assert row["lv"] > 0.7
    assert 0 < row["flicker"] < 0.2
    assert np.isnan(row["view"])  # it knows no views


def test_the_command_writes_table_and_json(
    model_folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.evaluate_clips.open_clips", lambda place, patients: iter([clip_of(11, 3)]))
    results = tmp_path / "results.md"
    command = ["evaluate", "clips", "--model", str(model_folders["pspnet-mk"]), "--data", "synth:1@11"]
    assert main([*command, "--results", str(results), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clips"] == 1
    assert found["models"][0]["view"] is None
    text = results.read_text()
    assert f"| {found['models'][0]['model']} " in text
    assert "| - |" in text
    assert main(["evaluate", "clips", "--model", str(model_folders["quality"]), "--data", "synth:1@11"]) == 2
