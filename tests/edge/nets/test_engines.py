"""Engines of a model folder on a machine with a GPU: chosen, refused, built meanwhile. CUDA is a double."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import echoedge
import edge.nets.engines
from edge.errors import BackendError, ModelError
from edge.nets.manifest import Gates, SpeedGate
from tests.edge.nets.backends.double import Device
from tests.edge.nets.plans import add_engine, quality_folder
from tests.phantom import apical_frame


@pytest.fixture
def folder(model_folders: dict[str, Path], tmp_path: Path) -> Path:
    return quality_folder(model_folders, tmp_path)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    made = Device()
    made.install(monkeypatch)
    return made


def race(p90_ms: float) -> Gates:
    gate = SpeedGate(
        reference_sha256="",
        backend="",
        machine="",
        runs=1,
        p50_ms=1,
        p90_ms=p90_ms,
        reference_p50_ms=2,
        reference_p90_ms=2,
    )
    return Gates(speed=gate)


def test_an_engine_for_this_gpu_goes_before_every_file(folder: Path, device: Device) -> None:
    add_engine(folder)
    with echoedge.open_model(folder) as score:
        assert (score.backend.name, score.manifest.precision) == ("tensorrt", "fp16")
        found = score(apical_frame())
    with echoedge.open_model(folder, "fp32", "onnxruntime") as score:
        assert np.allclose(found, score(apical_frame()))
    assert [cuda.calls[-1] for cuda in device.made] == ["close"] * len(device.made)


@pytest.mark.parametrize(
    ("gates", "chosen"),
    [(Gates(), "fp16"), (race(1.0), "int8"), (race(3.0), "fp16")],
    ids=["not raced", "won its race", "lost its race"],
)
def test_an_int8_engine_is_chosen_after_it_won_a_race(folder: Path, device: Device, gates: Gates, chosen: str) -> None:
    add_engine(folder)
    add_engine(folder, "int8", gates=gates)
    with echoedge.open_model(folder) as score:
        assert score.manifest.precision == chosen


FOREIGN = {
    "another GPU": ({"facts": ("tensorrt", "10.3.0", 89)}, "for SM 89, this machine has tensorrt 10.3.0 and SM 87"),
    "another release": (
        {"facts": ("tensorrt", "8.6.1", 87)},
        r"by tensorrt 8\.6\.1 .* this machine has tensorrt 10\.3\.0",
    ),
    "another file": ({"parent": "2" * 64}, "was built from a file with sha256 222222222222…"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_foreign_engine_is_refused_by_name_and_the_cpu_runs(
    folder: Path, device: Device, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    changes, words = FOREIGN[case]
    made = add_engine(folder, **changes)
    remedy = rf"(?s){made.file}.*{words}.*echoedge engine MODEL --precision fp16 --library tensorrt"
    with pytest.raises(ModelError, match=remedy):
        echoedge.open_model(folder, backend="tensorrt")
    with echoedge.open_model(folder) as score:
        assert score.manifest.file == "int8.onnx"
    assert made.file in caplog.text


def test_asking_for_an_engine_without_one_or_without_a_gpu(
    folder: Path, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"has no engine to use; build one with `echoedge engine"):
        echoedge.open_model(folder, backend="tensorrt")
    monkeypatch.undo()
    monkeypatch.setattr("edge.nets.backends.trt.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendError, match="on a Jetson it comes with JetPack"):
        echoedge.open_model(folder, backend="tensorrt")
    with echoedge.open_model(folder) as score:
        assert score.manifest.file == "int8.onnx"


BUILDER = """
import os, shutil, sys, time
from pathlib import Path
folder, made = Path(sys.argv[1]), Path(__file__).parent / "made"
while os.getpriority(os.PRIO_PROCESS, 0) < 19: time.sleep(0.01)
(made / "arguments").write_text(" ".join(sys.argv[2:]))
for path in made.glob("*sm87.*"): shutil.move(path, folder / path.name)
"""
"""Stands in for `echoedge engine`: waits until it has the lowest priority, then moves a made engine into the folder."""


def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (tmp_path / "builder.py").write_text(script)
    monkeypatch.setattr(edge.nets.engines, "COMMAND", (sys.executable, "-ISB", str(tmp_path / "builder.py")))


@pytest.mark.parametrize("old", [False, True], ids=["no engine", "an engine of an older file"])
def test_an_engine_is_built_meanwhile_and_takes_over(
    folder: Path, tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    made = add_engine(folder)
    shutil.copytree(folder, tmp_path / "made", ignore=shutil.ignore_patterns("*.onnx"))
    for path in folder.glob("*.sm87.*"):
        path.unlink()
    before = add_engine(folder, parent="2" * 64).file if old else "int8.onnx"
    builder(tmp_path, monkeypatch, BUILDER)
    with echoedge.open_model(folder, builds_engine=True) as score:
        assert score.manifest.file == before
        score(apical_frame())
        assert score.building is not None
        score.building.wait()
        scores = score(apical_frame())
        assert score.manifest == made
        assert score.backend.name == "tensorrt"
    assert (tmp_path / "made" / "arguments").read_text() == "--precision fp16 --library tensorrt"
    with echoedge.open_model(folder, "fp32", "onnxruntime") as reference:
        assert np.allclose(scores, reference(apical_frame()))


FAILURES = {
    "the builder's words": ("import sys; sys.exit('echoedge: no space')", "echoedge: no space"),
    "no words": ("import sys; sys.exit(3)", "exit code 3"),
    "nothing built": ("", "built no engine that fits this GPU"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_build_that_fails_changes_nothing(
    folder: Path,
    tmp_path: Path,
    device: Device,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    case: str,
) -> None:
    script, words = FAILURES[case]
    builder(tmp_path, monkeypatch, script)
    with echoedge.open_model(folder, builds_engine=True) as score:
        assert score.building is not None
        score.building.wait()
        score(apical_frame())
        assert score.manifest.file == "int8.onnx"
    assert words in caplog.text


def test_closing_ends_builds_and_those_that_wait_for_them(
    folder: Path, tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    builder(tmp_path, monkeypatch, f"import time; open({str(tmp_path / 'begun')!r}, 'a').write('x'); time.sleep(600)")
    with (
        echoedge.open_model(folder, builds_engine=True) as first,
        echoedge.open_model(folder, builds_engine=True) as second,
    ):
        while not (tmp_path / "begun").exists():
            assert first.building is not second.building
    assert (tmp_path / "begun").read_text() == "x"  # the second never began
    assert "what runs goes on" not in caplog.text
