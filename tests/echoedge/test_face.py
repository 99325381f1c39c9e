"""`import echoedge`, as its docstring and README show it."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import echoedge
from edge.synth.cine import SyntheticLoop


def test_the_examples_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    failed, tried = doctest.testmod(echoedge)
    assert not failed
    assert tried > 5


def test_the_readme_runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert any("import echoedge" in block for block in blocks)
    frame = SyntheticLoop(seed=1).frame(0).image
    names: dict[str, object] = {"frame": frame, "frames": [frame]}
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
