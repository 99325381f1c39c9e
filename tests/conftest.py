"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data for tests marked `data`; skips where it is absent."""
    folder = Path(os.environ.get("ECHOEDGE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "camus").is_dir():
        pytest.skip(f"real data is not here ({folder}/camus); set ECHOEDGE_DATA to run this test")
    return folder


@pytest.fixture(scope="session")
def sonosite() -> str:
    """Path of the real cine loop inside pydicom."""
    from pydicom.examples import get_path

    return str(get_path("ybr_color"))


@pytest.fixture(scope="session")
def refine_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained Echo-DND of two steps, exported for `edge.refine.refiner`."""
    from compile.export.command import main as export
    from tests.train.diffusion.tiny import TINY_STUDENT, write

    checkpoint = write(tmp_path_factory.mktemp("checkpoint") / "student.safetensors", TINY_STUDENT)
    made = tmp_path_factory.mktemp("echo-dnd")
    assert export([str(checkpoint), "--name", "echo-dnd", "--out", str(made), "--steps", "2"]) == 0
    return made


@pytest.fixture(scope="session")
def model_folders() -> dict[str, Path]:
    """The shipped networks, or those below $ECHOEDGE_MODELS; skips where they are absent."""
    folder = Path(os.environ.get("ECHOEDGE_MODELS", ROOT / "models"))
    found = {name: folder / name for name in ("pspnet-mk", "quality")}
    for path in found.values():
        if not path.is_dir():
            pytest.skip(f"no networks here ({path}); set ECHOEDGE_MODELS to a folder that holds pspnet-mk and quality")
    return found
