"""What compiling for this machine, and measuring on it, depends on."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge.jetson.board import detect


def machine_name(root: Path = Path("/")) -> str:
    """The CPU's or the board's model and the usable cores: stands beside every latency."""
    cpuinfo = read_text(root / "proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    board = read_text(root / "proc/device-tree/model").strip("\0\n ")
    return f"{board or (found[1] if found else platform.machine())}, {usable_cores()} cores"


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compute_capability(root: Path = Path("/")) -> int | None:
    """87 for a GPU of compute capability 8.7; None without an NVIDIA GPU."""
    if board := detect(root).compute_capability:
        return board
    if not shutil.which("nvidia-smi"):
        return None
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=20)
    found = re.match(r"(\d+)\.(\d+)", done.stdout)
    return int(found[1]) * 10 + int(found[2]) if done.returncode == 0 and found else None


def recorded(command: str, argv: Sequence[str]) -> str:
    """A command line for a manifest: absolute paths keep their last part, the rest is this machine's own business."""
    shown = [re.sub(r"(^|[:=])/(?:[^:=]*/)?([^/:=]+)", r"\1.../\2", argument) for argument in argv]
    return shlex.join(["echoedge", *command.split(), *shown])


def read_text(path: Path) -> str:
    """A small system file's text, "" where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
