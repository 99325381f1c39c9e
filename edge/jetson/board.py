"""Which Jetson this is, read from files alone.

Standard library only and fit for Python 3.8, since jetson/install.sh runs this file before anything is installed:
`python3 board.py /` prints NAME=value lines.
"""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

JETPACKS = {35: "5.1", 36: "6", 38: "7", 39: "7.2"}
"""Major release of Jetson Linux -> JetPack, where the nvidia-jetpack package does not say it precisely."""
MODULES = (
    ("thor", "thor", 110),
    ("agx orin", "agx-orin", 87),
    ("orin nx", "orin-nx", 87),
    ("orin nano", "orin-nano", 87),
    ("xavier nx", "xavier-nx", 72),
    ("xavier", "agx-xavier", 72),
    ("jetson nano", "nano", 53),
    ("orin", "agx-orin", 87),
)
"""Words of the device tree's model -> our name of the module -> compute capability of its GPU, 87 for 8.7."""
DEFAULTS = {
    "thor": (0, "yes", 2),
    "agx-orin": (2, "yes", 2),
    "orin-nx": (2, "yes", 1),
    "orin-nano": (0, "yes", 1),
    "agx-xavier": (2, "yes", 1),
    "xavier-nx": (2, "yes", 1),
    "nano": (0, "yes", 1),
}
"""Module -> DLA cores it has, whether CPU and GPU share memory, scanners at once. docs/jetson.md says how each is
validated.
"""
MIN_PYTHON = (3, 10)


@dataclass(frozen=True)
class Board:
    """What was found; "" stands for what was not. Versions as in "36.4.3", `python` as in "3.10"."""

    model: str
    module: str
    compute_capability: int
    jetson_linux: str
    jetpack: str
    tensorrt: str
    cuda: str
    python: str

    @property
    def is_jetson(self) -> bool:
        return bool(self.jetson_linux)

    @property
    def verdict(self) -> str:
        """ "" where the runtime can be installed, else why not and what to do."""
        if not self.python:
            return "no python3 in /usr/bin; install the package python3"
        if _numbers(self.python) < MIN_PYTHON:
            wanted = ".".join(str(n) for n in MIN_PYTHON)
            where = f"JetPack {self.jetpack}" if self.jetpack else "this system"
            return (
                f"{where} has Python {self.python}, the runtime needs {wanted}; flash JetPack 6, or use the container"
            )
        return ""


def detect(root: Path = Path("/")) -> Board:
    """Read the board from the file system at `root`."""
    tree = root / "proc/device-tree"
    model = _read(tree / "model").strip("\0\n ")
    compatible = _read(tree / "compatible").replace("\0", " ")
    release = re.search(r"R(\d+).*?REVISION: ([\d.]+)", _read(root / "etc/nv_tegra_release"))
    packages = _packages(root)
    words = model.lower()
    module, capability = next(
        ((name, sm) for sign, name, sm in MODULES if "jetson" in words and sign in words), ("", 0)
    )
    if not module and "tegra264" in compatible:
        module, capability = "thor", 110
    jetpack = packages.get("nvidia-jetpack", "").split("-")[0].split("+")[0]
    return Board(
        model=model,
        module=module,
        compute_capability=capability,
        jetson_linux=f"{release[1]}.{release[2]}" if release else "",
        jetpack=jetpack or (JETPACKS.get(int(release[1]), "") if release else ""),
        tensorrt=packages.get("python3-libnvinfer", packages.get("libnvinfer10", "")).split("-")[0],
        cuda=_cuda(packages),
        python=_python(root),
    )


def _packages(root: Path) -> dict[str, str]:
    """Installed Debian packages -> version."""
    found = {}
    for paragraph in _read(root / "var/lib/dpkg/status").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found[fields.get("Package", "")] = fields.get("Version", "")
    return found


def _cuda(packages: dict[str, str]) -> str:
    names = (re.match(r"cuda-cudart-(\d+)-(\d+)$", name) for name in packages)
    versions = [(int(m[1]), int(m[2])) for m in names if m]
    return ".".join(str(n) for n in max(versions)) if versions else ""


def _python(root: Path) -> str:
    """Version of the system's python3: the interpreter in /usr/bin that python3 points to, else the newest there."""
    link = root / "usr/bin/python3"
    target = Path(link.resolve()).name if link.exists() or link.is_symlink() else ""
    found = re.match(r"python(\d+\.\d+)$", target)
    if found:
        return found[1]
    names = (re.match(r"python(3\.\d+)$", path.name) for path in (root / "usr/bin").glob("python3.*"))
    versions = sorted((m[1] for m in names if m), key=_numbers)
    return versions[-1] if versions else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    board = detect(Path(arguments[0]) if arguments else Path("/"))
    for name, value in {**asdict(board), "verdict": board.verdict}.items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
