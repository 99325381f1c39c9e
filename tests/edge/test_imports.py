"""What a failed import is said to mean, each with real files on Python's path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.commands import COMMANDS
from edge.imports import EXTRAS, PACKAGES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def failed(
    folder: Path, *path: Path, command: str = "train segmentation", absent: str = "", flags: tuple[str, ...] = ()
) -> str:
    """The one line that `echoedge COMMAND --help` prints in `folder`, with `path` before Python's own."""
    start = f"import sys; sys.path.insert(0, ''); sys.modules |= {dict.fromkeys(absent.split())!r}; "
    script = start + f"from edge.cli import main; sys.exit(main({[*command.split(), '--help']!r}))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONDONTWRITEBYTECODE": "1"}
    line = [sys.executable, *flags, "-c", script]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [
        ("train segmentation", "torch", "train"),
        ("export", "onnx", "train"),
        ("compile", "onnx", "compile"),
    ],
)
def test_a_missing_package_is_answered_with_its_extra(
    tmp_path: Path, root: Path, command: str, package: str, extra: str
) -> None:
    said = failed(tmp_path, root, command=command, absent=package)
    assert said == (
        f"echoedge: `echoedge {command}` needs {package}, which is not installed: pip install 'echoedge[{extra}]'\n"
    )


@pytest.mark.parametrize("name", ["train.py", "train/__init__.py"])
def test_a_users_own_train_is_named_and_does_not_run(tmp_path: Path, root: Path, name: str) -> None:
    script = tmp_path / name
    script.parent.mkdir(exist_ok=True)
    script.write_text("open('it-ran', 'w')\n")
    said = failed(tmp_path, root)
    shadow = script if name == "train.py" else script.parent
    assert f"{shadow} shadows EchoEdge's package `train`: rename it, or run from another folder" in said
    assert "pip install" not in said
    assert not (tmp_path / "it-ran").exists()


def test_a_missing_file_of_ours_is_a_damaged_installation(tmp_path: Path, root: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "train/evaluate/segmentation.py").unlink()
    said = failed(tmp_path, tmp_path, command="evaluate")
    assert (
        f"EchoEdge's installation in {tmp_path} is damaged: No module named 'train.evaluate.segmentation'; install"
        in said
    )
    shutil.rmtree(tmp_path / "train")
    said = failed(tmp_path, tmp_path, command="evaluate", flags=("-S",))  # no other EchoEdge on the path
    assert "its package `train` is missing; install EchoEdge again" in said


@pytest.mark.parametrize("fault", ["import not_to_be_found", "from os import not_to_be_found"])
def test_a_package_that_is_installed_and_broken_speaks_for_itself(tmp_path: Path, root: Path, fault: str) -> None:
    package = tmp_path / "site-packages/torch/__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text(fault + "\n")
    said = failed(tmp_path, root, tmp_path / "site-packages")
    assert "the installed package `torch` does not import: " in said
    assert "not_to_be_found" in said
    assert "pip install" not in said


def test_the_table_of_extras_is_that_of_the_project(root: Path) -> None:
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for names in EXTRAS.values() for extra in names} <= set(extras)
    assert {command.extra for command in COMMANDS.values()} <= set(extras)
