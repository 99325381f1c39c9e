"""`echoedge first-boot`: build this device's engines beside the running service, which works on the CPU meanwhile."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.errors import BackendError
from edge.nets.artefacts import readable, tasks_of, usable
from edge.nets.manifest import find_manifests
from edge.nets.shelf import SHIPPED

NETWORKS = {"pspnet-mk": "ECHOEDGE_MODEL", "quality": "ECHOEDGE_QUALITY"}
"""Model folder -> the setting that points the runtime to it."""
SETTINGS, FAILED = "models.env", "failed.txt"


def copy_buildable(source: Path, target: Path) -> str:
    """Copy what TensorRT reads of a model folder; the precision that is built unasked.

    Into a folder that the service may write: the shipped one belongs to its slot.
    Raises BackendError where the folder has nothing for TensorRT.
    """
    every = find_manifests(source)
    tasks = tasks_of(every)
    buildable = [manifest for task in tasks for manifest, _ in usable(every, task, "auto", "tensorrt")]
    if not buildable:
        raise BackendError(f"{source} has no file for TensorRT; make one with `echoedge compile --target orin`")
    target.mkdir(parents=True, exist_ok=True)
    for manifest, path in (pair for task in tasks for pair in readable(every, task, "tensorrt").values()):
        for file in (path, path.with_name(manifest.file), path.with_suffix(".sig")):
            if file.is_file():
                shutil.copy2(file, target / file.name)
    return buildable[0].precision


def build(models: Path, out: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Build every network's engine under `out`; settings of those that came about -> their model folders.

    A network whose engine cannot be built keeps running on the CPU.
    """
    made: dict[str, Path] = {}
    for number, (name, setting) in enumerate(NETWORKS.items(), 1):
        folder = out / name
        try:
            precision = copy_buildable(models / name, folder)
        except BackendError as error:
            say(f"[{number}/{len(NETWORKS)}] {name}: stays on the CPU: {error}")
            continue
        say(
            f"[{number}/{len(NETWORKS)}] {name}: building the {precision} engine; the picture runs on the CPU meanwhile"
        )
        command = [sys.executable, "-m", "edge.cli", "engine", str(folder), "--precision", precision]
        command += ["--library", "tensorrt", "--timing-cache", str(out / "timing.cache")]
        if subprocess.run(command, check=False).returncode == 0:
            made[setting] = folder
        else:
            say(f"[{number}/{len(NETWORKS)}] {name}: stays on the CPU, see above")
    return made


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge first-boot",
        description="Build the TensorRT engines of the shipped networks for this device and point the service to them.",
        epilog="example: echoedge first-boot --out /opt/echoedge/current/engines",
    )
    p.add_argument("--models", type=Path, default=SHIPPED, help="folder of model folders (default: the shipped ones)")
    p.add_argument("--out", type=Path, required=True, help=f"folder for the engines and {SETTINGS}")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    made = build(args.models, args.out.resolve(), lambda line: print(line, flush=True))
    if not made:
        (args.out / FAILED).write_text(
            "No engine could be built; see journalctl -u echoedge-compile. Delete to try again.\n"
        )
        return 1
    part = args.out / (SETTINGS + ".part")
    part.write_text("".join(f"{setting}={folder}\n" for setting, folder in made.items()))
    os.replace(part, args.out / SETTINGS)
    print(f"{len(made)} of {len(NETWORKS)} networks run on the GPU from the next start on")
    return 0
