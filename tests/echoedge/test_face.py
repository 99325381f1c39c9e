"""`import echoedge`, as its docstring and README show it."""

from __future__ import annotations

import doctest
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import echoedge
from edge.synth.cine import SyntheticLoop


@pytest.mark.parametrize("module", ["echoedge", "echoedge.analysing", "echoedge.streaming"])
def test_the_examples_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert not failed
    assert tried > 3


@pytest.mark.parametrize("document", ["README.md", "docs/python.md"])
def test_the_python_of_a_document_runs(
    root: Path, document: str, sonosite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(sonosite, tmp_path / "loop.dcm")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (root / document).read_text(), re.DOTALL)
    assert any("import echoedge" in block for block in blocks)
    picture = SyntheticLoop(seed=1).frame(0).image
    names: dict[str, object] = {"picture": picture, "pictures": [picture]}
    for block in blocks:
        exec(block, names)


def test_every_public_name_is_there() -> None:
    assert sorted(echoedge.__all__) == sorted(set(echoedge.__all__)) == dir(echoedge)
    assert all(getattr(echoedge, name) for name in echoedge.__all__)
    with pytest.raises(AttributeError, match=r"no attribute 'open_modle'; it has .*open_model"):
        _ = echoedge.open_modle


def test_importing_it_loads_nothing_heavy() -> None:
    script = "import sys, echoedge; print(*{'numpy', 'cv2', 'av', 'openvino', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


@pytest.mark.parametrize("package", ["echoedge", "edge", "train", "calib", "compile"])
def test_the_packages_are_typed(root: Path, package: str) -> None:
    assert (root / package / "py.typed").exists()
