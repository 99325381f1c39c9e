from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import BackendError
from edge.jetson import first_boot
from edge.jetson.first_boot import copy_buildable, main
from edge.nets.manifest import find_manifests


def test_files_for_cpus_stay_behind(tmp_path: Path, model_folders: dict[str, Path]) -> None:
    precision = copy_buildable(model_folders["pspnet-mk"], tmp_path / "engines")
    there = {manifest.precision: manifest for manifest, _ in find_manifests(tmp_path / "engines")}
    assert precision in there
    assert {manifest.target for manifest in there.values()} <= {"any", "tensorrt"}
    assert all((tmp_path / "engines" / manifest.file).is_file() for manifest in there.values())


def test_a_folder_without_anything_to_build_is_named(tmp_path: Path, model_folders: dict[str, Path]) -> None:
    only_cpu = tmp_path / "only-cpu"
    only_cpu.mkdir()
    for path in model_folders["quality"].glob("int8.*"):
        (only_cpu / path.name).write_bytes(path.read_bytes())
    with pytest.raises(BackendError, match="compile --target orin"):
        copy_buildable(only_cpu, tmp_path / "out")


def test_without_tensorrt_it_fails_once_and_leaves_word(
    tmp_path: Path, model_folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The real `echoedge engine`, which finds no TensorRT here."""
    models = model_folders["quality"].parent
    assert main(["--models", str(models), "--out", str(tmp_path)]) == 1
    assert "journalctl" in (tmp_path / first_boot.FAILED).read_text()
    assert not (tmp_path / first_boot.SETTINGS).exists()
    said = capsys.readouterr().out
    assert said.count("stays on the CPU") == 2


def test_a_network_that_was_built_is_pointed_to(
    tmp_path: Path, model_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`true` in place of the Python that would build on a GPU."""
    monkeypatch.setattr(first_boot.sys, "executable", "/bin/true")
    assert main(["--models", str(model_folders["quality"].parent), "--out", str(tmp_path)]) == 0
    lines = (tmp_path / first_boot.SETTINGS).read_text().splitlines()
    assert lines == [f"ECHOEDGE_MODEL={tmp_path}/pspnet-mk", f"ECHOEDGE_QUALITY={tmp_path}/quality"]
