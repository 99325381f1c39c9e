"""Run the shell blocks of documents as a newcomer would: from a wheel, in a new environment, in an empty folder.

A block that begins with ```sh is run; one with ```sh not-run needs data, hardware or a clone.
example: python tests/docs/run_blocks.py --wheel dist/echoedge-0.1.0-py3-none-any.whl README.md docs/start.md
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXTRAS = "openvino,dicom"
LARGEST_WHEEL_MB = 15.0


def shell_blocks(document: str) -> list[str]:
    """The blocks of a Markdown text that are to be run."""
    return re.findall(r"^```sh\n(.*?)^```", document, re.DOTALL | re.MULTILINE)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--wheel", type=Path, required=True)
    p.add_argument("documents", type=Path, nargs="+")
    args = p.parse_args()
    wheel_mb = args.wheel.stat().st_size / 1e6
    if wheel_mb > LARGEST_WHEEL_MB:
        print(f"{args.wheel} has {wheel_mb:.1f} MB, {LARGEST_WHEEL_MB:g} at most are allowed", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place:
        venv, home = Path(place, "venv"), Path(place, "home")
        home.mkdir()
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        pip = [venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"{args.wheel.resolve()}[{EXTRAS}]"], check=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ECHOEDGE"))}
        environment |= {"PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)}
        for document in args.documents:
            folder = Path(tempfile.mkdtemp(dir=place))
            for block in shell_blocks(document.read_text()):
                print(f"--- {document}\n{block}", end="", flush=True)
                began = time.monotonic()
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", block],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                )
                if done.returncode:
                    print(f"{done.stdout[-4000:]}{done.stderr[-4000:]}\nexit code {done.returncode}", file=sys.stderr)
                    return 1
                print(f"--- passed in {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
