"""`echoedge doctor`: what this machine has, and what to install for the rest."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import msgspec
from rich.table import Table
from rich.text import Text

from edge.errors import EchoEdgeError
from edge.finding import Finding, package, version
from edge.jetson.board import detect
from edge.jetson.checks import examine_jetson
from edge.machine import read_text
from edge.nets.backends import BACKENDS
from edge.nets.manifest import find_manifests, verified_artefact
from edge.terminal import terminal

INT8_FLAGS = ("avx512_vnni", "avx_vnni", "asimddp")
"""CPU flags of 8-bit dot products: Intel and AMD (two encodings), Arm."""


def _cpu(root: Path) -> Finding:
    flags = ""
    model = platform.machine()
    cpuinfo = root / "proc/cpuinfo"
    if cpuinfo.exists():
        text = cpuinfo.read_text()
        flags = " ".join(re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)[:1])
        model = next(iter(re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)), model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    has_int8 = next((flag for flag in INT8_FLAGS if flag in flags.split()), None)
    return Finding("CPU", "ok", f"{cores} cores, {model}, 8-bit dot product: {has_int8 or 'none (INT8 gains little)'}")


def _memory(root: Path) -> Finding:
    found = re.search(r"^MemAvailable:\s*(\d+)", read_text(root / "proc/meminfo"), re.MULTILINE)
    detail = f"{int(found[1]) / 2**20:.1f} GiB available" if found else "unknown"
    return Finding("memory", "ok", detail)


def _jetpack(root: Path) -> Finding:
    board = detect(root)
    if not board.is_jetson:
        return Finding("Jetson", "absent", f"no Jetson Linux here{f' ({board.model})' if board.model else ''}")
    return Finding(
        "Jetson", "ok", f"{board.model or 'Jetson'}, Jetson Linux {board.jetson_linux}, JetPack {board.jetpack}"
    )


def _gpu(root: Path) -> Finding:
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap", "--format=csv,noheader"]
        done = subprocess.run(query, capture_output=True, text=True, timeout=20)
        if done.returncode == 0 and done.stdout.strip():
            return Finding("NVIDIA GPU", "ok", done.stdout.strip().replace("\n", "; "))
    if detect(root).is_jetson:
        return Finding("NVIDIA GPU", "ok", "integrated (Tegra)")
    return Finding("NVIDIA GPU", "absent", "none", "nothing: the networks reach frame rate on the CPU")


def _engines(_: Path) -> Finding:
    installed = [f"{name} {version(name)}" for name in BACKENDS if find_spec(name)]
    if installed:
        return Finding("CPU inference", "ok", ", ".join(installed))
    return Finding("CPU inference", "broken", "neither OpenVINO nor ONNX Runtime", "pip install 'echoedge[openvino]'")


def _decoders(_: Path) -> Finding:
    import av

    from edge.sinks.encoder import Target
    from edge.sinks.encoder_choice import AUTO, choose_encoder

    names = [name for name in ("h264", "hevc", "mjpeg", "mpeg2video", "vp9", "av1") if name in av.codecs_available]
    encoder = choose_encoder(AUTO, Target(1280, 720, Fraction(30), Fraction(1, 90_000)))
    return Finding("video", "ok", f"PyAV {av.__version__}; decodes {', '.join(names)}; encodes with {encoder}")


def _srt(_: Path) -> Finding:
    from edge.sources.srt import find_libsrt

    found = find_libsrt()
    if found:
        return Finding("SRT", "ok", found)
    return Finding("SRT", "absent", "srt:// inputs", "apt-get install libsrt1.5-openssl")


def _gstreamer(_: Path) -> Finding:
    if shutil.which("gst-launch-1.0"):
        return Finding("GStreamer", "ok", shutil.which("gst-launch-1.0") or "")
    return Finding(
        "GStreamer", "absent", "CSI cameras and hardware encoding on Jetson", "apt-get install gstreamer1.0-tools"
    )


def _cameras(root: Path) -> Finding:
    nodes = sorted(str(p) for p in (root / "dev").glob("video*"))
    if nodes:
        return Finding("cameras", "ok", ", ".join(nodes))
    return Finding("cameras", "absent", "no /dev/video*", "plug in a frame grabber; `ls /dev/video*` must list it")


def _models(_: Path) -> Finding:
    described, problem = [], ""
    for folder in ("pspnet-mk", "quality"):
        try:
            for manifest, path in find_manifests(folder):
                verified_artefact(manifest, path)
                described.append(f"{folder} {manifest.precision}")
        except EchoEdgeError as error:
            problem = problem or str(error)
    if problem:
        return Finding("models", "broken", problem, "install EchoEdge again")
    return Finding("models", "ok", ", ".join(described))


CHECKS: tuple[Callable[[Path], Finding], ...] = (
    _cpu,
    _memory,
    _jetpack,
    _gpu,
    _engines,
    package(
        "TensorRT",
        "tensorrt",
        "engines for NVIDIA GPUs",
        "on Jetson: apt-get install python3-libnvinfer; PC: pip install tensorrt",
    ),
    package("CUDA for Python", "cuda", "GPU memory for TensorRT", "pip install 'echoedge[cuda]'"),
    _decoders,
    package("DICOM", "pydicom", "reading DICOM", "pip install 'echoedge[dicom]'"),
    _gstreamer,
    _srt,
    _cameras,
    package("training", "torch", "training and export", "pip install 'echoedge[train]'"),
    _models,
)


def examine(root: Path = Path("/"), target: str = "") -> list[Finding]:
    """All findings; `root` is the file system to look at, so that a test can show another machine's.

    target "jetson" adds what a device at the bedside needs: board, power, heat, slots, services.
    """
    findings = [check(root) for check in CHECKS]
    if target == "jetson":
        findings += examine_jetson(root)
    return findings


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge doctor",
        description="What this machine has, and what to install for the rest. Exit code 1: `echoedge run` cannot work.",
        epilog="example: echoedge doctor --target jetson",
    )
    p.add_argument("--target", choices=("jetson",), default="", help="check what a device at the bedside needs as well")
    p.add_argument("--json", action="store_true", help="print the findings as JSON")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    findings = examine(target=args.target)
    if args.json:
        print(msgspec.json.format(msgspec.json.encode([asdict(f) for f in findings])).decode())
    else:
        table = Table("", "what", "found", "to do")
        marks = {"ok": Text("ok", "green"), "absent": Text("-", "yellow"), "broken": Text("broken", "red")}
        for finding in findings:
            table.add_row(marks[finding.state], finding.name, finding.detail, finding.remedy)
        terminal().print(table)
    return 1 if any(finding.state == "broken" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
