from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheelhouse() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wheelhouse", REPOSITORY / "jetson/wheelhouse.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LOCK = """\
av==17.1.0 ; python_full_version < '3.11'
av==19.0.2 ; python_full_version >= '3.12'
    # via echoedge
rich==15.0.0
pywin==1 ; sys_platform == 'win32'
neon==2 ; platform_machine == 'aarch64'
"""


@pytest.mark.parametrize(("python", "av"), [("3.10", ["av==17.1.0"]), ("3.11", []), ("3.12", ["av==19.0.2"])])
def test_markers_hold_for_the_device_and_not_for_this_machine(
    wheelhouse: ModuleType, python: str, av: list[str]
) -> None:
    assert wheelhouse.pinned(LOCK, python) == [*av, "rich==15.0.0", "neon==2"]


def test_the_devices_lock_says_what_the_runtimes_says(wheelhouse: ModuleType) -> None:
    """One version of each package, on a PC and on a Jetson."""
    for python in wheelhouse.GLIBC:
        runtime = set(wheelhouse.pinned((REPOSITORY / "requirements/run.txt").read_text(), python))
        device = set(wheelhouse.pinned((REPOSITORY / "requirements/device.txt").read_text(), python))
        assert runtime <= device
        assert {name.split("==")[0] for name in device} >= {"cryptography", "cuda-bindings"}


def test_a_newer_glibc_is_not_asked_of_an_older_system(wheelhouse: ModuleType) -> None:
    assert wheelhouse.platforms("3.10")[0] == "manylinux_2_35_aarch64"
    assert "manylinux2014_aarch64" in wheelhouse.platforms("3.12")
