"""Fetch every wheel a device needs, for one Python and machine (aarch64: a Jetson); it then installs without a network.

example: python jetson/wheelhouse.py --python 3.10 --out wheelhouse/cp310-aarch64
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements/device.txt"
GLIBC = {"3.10": 35, "3.11": 36, "3.12": 39, "3.13": 41}
"""Minor version of glibc 2 where the Python is the system's: Ubuntu 22.04 (JetPack 6), Debian 12, Ubuntu 24.04 (JetPack
7), Debian 13."""


def pinned(requirements: str, python: str, machine: str = "aarch64") -> list[str]:
    """The lines of a lock file that hold on a Linux of this machine and Python, without their markers.

    pip evaluates markers for the Python that runs it, also under --python-version; hence this.
    """
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "os_name": "posix",
        "extra": "",
    }
    found = []
    for line in requirements.splitlines():
        text = line.split("#")[0].strip()
        if (
            text
            and (requirement := Requirement(text))
            and (not requirement.marker or requirement.marker.evaluate(there))
        ):
            requirement.marker = None
            found.append(str(requirement))
    return found


def platforms(python: str, machine: str = "aarch64") -> list[str]:
    """Platform tags that the device's glibc satisfies, newest first."""
    return [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC[python], 16, -1)] + [f"manylinux2014_{machine}"]


def fetch(python: str, machine: str, out: Path) -> None:
    """Download the wheels and build ours. Raises CalledProcessError where a dependency has no wheel for the machine."""
    out.mkdir(parents=True, exist_ok=True)
    tag = "cp" + python.replace(".", "")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as flat:
        flat.write("\n".join(pinned(REQUIREMENTS.read_text(), python, machine)))
        flat.flush()
        tags = [argument for platform in platforms(python, machine) for argument in ("--platform", platform)]
        subprocess.run(
            [
                *pip,
                "download",
                "--no-deps",
                "--only-binary=:all:",
                "--dest",
                str(out),
                "--implementation",
                "cp",
                "--python-version",
                python,
                "--abi",
                tag,
                "--abi",
                "abi3",
                "--abi",
                "none",
                *tags,
                "-r",
                flat.name,
            ],
            check=True,
        )
    # With the files that the device builds its engines from, see hatch_build.py.
    ours = [*pip, "wheel", "--no-deps", "--wheel-dir", str(out), str(REQUIREMENTS.parent.parent)]
    subprocess.run(ours, check=True, env=os.environ | {"ECHOEDGE_WHEEL": "full"})


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--python", choices=tuple(GLIBC), required=True, help="the device's: 3.10 JetPack 6, 3.12 JetPack 7")
    p.add_argument("--machine", choices=("aarch64", "x86_64"), default="aarch64")
    p.add_argument("--out", type=Path, required=True, help="folder for the wheels")
    args = p.parse_args()
    fetch(args.python, args.machine, args.out)
    wheels = sorted(args.out.glob("*.whl"))
    print(f"{args.out}: {len(wheels)} wheels, {sum(w.stat().st_size for w in wheels) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
