"""OpenIGTLink's own example programs, compiled from Debian's sources."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.peers.processes import need

EXAMPLES = Path("/usr/share/doc/openigtlink-examples/examples")
HEADERS = Path("/usr/include/openigtlink")


def build_example(name: str, folder: Path) -> Path:
    """The program of an example such as "Imager/ImagerServer"; skips where sources or compiler are missing."""
    if not EXAMPLES.is_dir() or not HEADERS.is_dir():
        pytest.skip("no OpenIGTLink (apt-get install openigtlink-examples libopenigtlink-dev)")
    program = folder / Path(name).name
    command = [
        need("g++", "g++"),
        f"-I{HEADERS}",
        EXAMPLES / f"{name}.cxx",
        "-o",
        program,
        "-lOpenIGTLink",
        "-lpthread",
    ]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=120)
    return program


def images_of_imager() -> Path:
    """Folder of the raw 256x256 pictures that ImagerServer sends."""
    return EXAMPLES / "Imager" / "img"
