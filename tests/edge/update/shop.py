"""A small real product to update: a wheel named echoedge whose command prints its version or fails."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from compile.ship.bundle import write_bundle
from compile.ship.sign import new_key
from edge.update.bundle import Release

GOOD = "import time\n\n\ndef main():\n    print(VERSION, flush=True)\n    time.sleep(60)\n"
CRASHES = "def main():\n    raise SystemExit('broken')\n"
EXTRAS = ("openvino", "dicom", "sign", "cuda")


def write_wheel(folder: Path, version: str, program: str = GOOD) -> Path:
    """A wheel with a console script `echoedge`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"echoedge-{version}-py3-none-any.whl"
    info = f"echoedge-{version}.dist-info"
    extras = "".join(f"Provides-Extra: {name}\n" for name in EXTRAS)
    files = {
        "echoedge_program.py": f"VERSION = {version!r}\n\n\n{program}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: echoedge\nVersion: {version}\n{extras}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nechoedge = echoedge_program:main\n",
    }
    record = ""
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


def make_bundle(folder: Path, version: str, private: Path, program: str = GOOD) -> Path:
    """A signed bundle of that wheel."""
    wheels = folder / f"wheels-{version}"
    write_wheel(wheels, version, program)
    out = folder / f"{version}.tar"
    write_bundle(out, wheels, None, private)
    return out


def keys(folder: Path) -> tuple[Path, Path]:
    """(private, public) key files."""
    return new_key(folder / "keys")


def unpack_wheel(slot: Path, incoming: Path, release: Release) -> None:
    """In place of venv and pip, which take seconds: the program itself as `venv/bin/echoedge`."""
    (wheel,) = (incoming / "wheels").glob("*.whl")
    script = slot / "venv/bin/echoedge"
    script.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel) as archive:
        program = archive.read("echoedge_program.py").decode()
    script.write_text(f"#!/usr/bin/env python3\n{program}\nmain()\n")
    script.chmod(0o755)
