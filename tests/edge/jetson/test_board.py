from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from edge.jetson import board
from edge.update import slots
from tests.edge.jetson.boards import BOARDS, make

pytestmark = pytest.mark.portable


@pytest.mark.parametrize(
    ("name", "capability", "linux", "jetpack", "tensorrt", "cuda"),
    [
        ("nano", 53, "32.7.1", "", "", ""),
        ("xavier-nx", 72, "35.4.1", "5.1.2", "8.5.2", ""),
        ("orin-nano", 87, "36.4.3", "6.2", "10.3.0.30", "12.6"),
        ("orin-nx", 87, "36.4.4", "6.2", "10.3.0.30", "12.6"),
        ("agx-orin", 87, "36.4.3", "6.2", "10.3.0.30", "12.6"),
        ("thor", 110, "38.2.0", "7.0", "10.13.3.9", "13.0"),
    ],
)
def test_each_board_is_recognised(
    tmp_path: Path, name: str, capability: int, linux: str, jetpack: str, tensorrt: str, cuda: str
) -> None:
    found = board.detect(make(tmp_path, name))
    assert (found.module, found.compute_capability, found.jetson_linux) == (name, capability, linux)
    assert (found.jetpack, found.tensorrt, found.cuda, found.python) == (jetpack, tensorrt, cuda, BOARDS[name].python)
    assert found.module in board.DEFAULTS


@pytest.mark.parametrize("name", BOARDS)
def test_boards_whose_python_is_too_old_are_refused_with_the_way_out(tmp_path: Path, name: str) -> None:
    verdict = board.detect(make(tmp_path, name)).verdict
    if name in ("nano", "xavier-nx"):
        assert BOARDS[name].python in verdict
        assert "flash JetPack 6" in verdict
    else:
        assert verdict == ""


def test_thor_is_known_from_its_chip_where_the_model_is_a_carriers_own_name(tmp_path: Path) -> None:
    make(tmp_path, "thor")
    (tmp_path / "proc/device-tree/model").write_text("Clinic Box 3\0")
    (tmp_path / "proc/device-tree/compatible").write_text("clinic,box3\0nvidia,tegra264\0")
    assert board.detect(tmp_path).module == "thor"


def test_jetpack_comes_from_jetson_linux_where_the_package_is_not_installed(tmp_path: Path) -> None:
    make(tmp_path, "orin-nx")
    (tmp_path / "var/lib/dpkg/status").unlink()
    found = board.detect(tmp_path)
    assert (found.jetpack, found.tensorrt) == ("6", "")


def test_an_empty_root_is_no_jetson(tmp_path: Path) -> None:
    found = board.detect(tmp_path)
    assert not found.is_jetson
    assert "no python3" in found.verdict


@pytest.mark.parametrize("module", [board, slots])
def test_what_runs_before_the_installation_needs_only_python_3_8(module: object) -> None:
    path = str(module.__file__)  # type: ignore[attr-defined]
    tree = ast.parse(Path(path).read_text(), feature_version=(3, 8))
    imported = {n.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)
    # -S -I: nothing of the environment that the tests run in.
    subprocess.run(
        [sys.executable, "-I", "-S", path, "--help" if module is slots else "/"], check=True, capture_output=True
    )
