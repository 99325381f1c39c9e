from __future__ import annotations

from pathlib import Path

import pytest

import echoedge
from compile.engine.race import race_engines
from edge.errors import ModelError
from edge.nets.artefacts import QUALITY
from edge.nets.manifest import read_manifest
from tests.edge.nets.backends.double import Device
from tests.edge.nets.plans import add_engine, quality_folder


def test_a_race_writes_the_gate_that_the_runtime_chooses_by(
    model_folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device()
    device.install(monkeypatch)
    folder = quality_folder(model_folders, tmp_path)
    wide = add_engine(folder)
    with pytest.raises(ModelError, match=r"has fp16 engines for this GPU, a race needs int8 and fp16"):
        race_engines(folder, QUALITY, 3)
    narrow = add_engine(folder, "int8")
    gate = race_engines(folder, QUALITY, 3)
    assert (gate.reference_sha256, gate.backend, gate.runs) == (wide.sha256, "tensorrt 10.3.0", 3)
    assert read_manifest(folder / narrow.file.replace(".engine", ".json")).gates.speed == gate
    assert {cuda.calls[-1] for cuda in device.made} == {"close"}
    with echoedge.open_model(folder) as score:
        assert score.manifest.precision == ("fp16" if gate.failures() else "int8")
