from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.cli import main


def test_the_demo_needs_nothing_and_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge.demo.RECORDED", "synth://a4c?seed=3&fps=30&severity=0&layout=screen4&frames=40")
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert {"demo.mp4", "demo.jsonl", "demo.png"} <= {path.name for path in tmp_path.iterdir()}
    lines = [json.loads(line) for line in (tmp_path / "demo.jsonl").read_text().splitlines()]
    assert len(lines) == 40
    assert all(line["lv_area_cm2"] for line in lines[1:])
    assert "40 in, 40 processed" in capsys.readouterr().out
