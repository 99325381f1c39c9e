from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.cli import main
from edge.nets.model import open_segmenter
from train.data.clips import clip_of
from train.evaluate.clips import evaluate_clips, judge_clip, show_clip


def test_the_shipped_network_on_a_clip(model_folders: dict[str, Path]) -> None:
    with open_segmenter(model_folders["pspnet-mk"], threads=1) as segmenter:
        clip = clip_of(11, 4)
        row = judge_clip(clip, show_clip(segmenter, clip))
    assert row["lv"] > 0.7
    assert 0 < row["flicker"] < 0.2
    assert np.isnan(row["view"])  # it knows no views


def test_a_held_frame_is_judged_when_it_is_shown_last() -> None:
    """A network whose answer comes with the second showing: right when frames are held, wrong when they are not."""
    clip = clip_of(11, 2)

    class Late:
        view_probabilities = None
        before: object = None

        def reset(self) -> None:
            self.before = None

        def __call__(self, image: Any, sector: object) -> Any:
            known, self.before = self.before is image, image
            frame = next(f for f in clip.frames if f.image is image)
            return frame.mask if known else np.zeros_like(frame.mask)

    late: Any = Late()
    for held, forget, dice in ((1, False, 0), (2, False, 1), (2, True, 0)):
        assert judge_clip(clip, show_clip(late, clip, held, forget))["lv"] == dice


def test_ef_is_of_the_frames_at_ed_and_es() -> None:
    """A network that draws what the experts draw has their EF in every clip that holds both frames."""
    clips = [clip_of(seed, None) for seed in (11, 12)]
    clips = [replace(clip, frames=tuple(replace(frame, view="A4C") for frame in clip.frames)) for clip in clips]

    class Perfect:
        view_probabilities = None
        manifest = SimpleNamespace(name="perfect", precision="fp32", sha256="0")
        backend = SimpleNamespace(name="none", version="0")

        def reset(self) -> None:
            pass

        def __call__(self, image: Any, sector: object) -> Any:
            return next(f.mask for clip in clips for f in clip.frames if f.image is image)

    perfect: Any = Perfect()
    found = evaluate_clips(perfect, clips, with_ef=True)["ef"]["A4C, one plane"]
    assert (found["n"], found["mae"]) == (2, 0)


def test_the_command_writes_table_and_json(
    model_folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.evaluate.clips.open_clips", lambda place, patients: iter([clip_of(11, 3)]))
    results = tmp_path / "results.md"
    command = ["evaluate", "clips", "--model", str(model_folders["pspnet-mk"]), "--data", "synth:1@11"]
    assert main([*command, "--forget", "--results", str(results), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clips"] == 1
    assert found["models"][0]["view"] is None
    text = results.read_text()
    assert f"| {found['models'][0]['model']} " in text
    assert "| - |" in text
    assert "--forget`: 1 clips, 3 frames of synth, nothing remembered" in text
    assert main(["evaluate", "clips", "--model", str(model_folders["quality"]), "--data", "synth:1@11"]) == 2
    assert main([*command, "--hold", "0"]) == 2
    assert "give 1 or more" in capsys.readouterr().err
