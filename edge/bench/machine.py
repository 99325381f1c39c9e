"""What a machine is, as far as speed depends on it: read from its files, "not readable" with the reason where it cannot
be.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from edge.bench.result import MachineFacts, Reading
from edge.jetson.board import detect
from edge.machine import machine_name, read_text, usable_cores

PACKAGES = ("numpy", "opencv-python-headless", "av", "openvino", "onnxruntime", "tensorrt", "mlcommons-loadgen")


def machine_facts(root: Path = Path("/")) -> MachineFacts:
    """Facts that stay for a run. `root` is the file system to look at."""
    memory = re.search(r"^MemTotal:\s*(\d+)", read_text(root / "proc/meminfo"), re.MULTILINE)
    return MachineFacts(
        name=machine_name(root),
        cores=usable_cores(),
        memory_gib=round(int(memory[1]) / 2**20, 1) if memory else 0.0,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        packages={name: version for name in PACKAGES if (version := _version(name))},
        board=read_text(root / "proc/device-tree/model").strip("\0\n "),
        jetson_linux=detect(root).jetson_linux,
        power_mode=_power_mode(),
        governor=_same(root, "scaling_governor"),
        max_clock_mhz=_same(root, "cpuinfo_max_freq", 1e-3),
        on_battery=_battery(root),
        gpu=_gpu(),
    )


def clocks_mhz(root: Path = Path("/")) -> list[float]:
    """The cores' clocks now; empty where neither cpufreq nor /proc/cpuinfo tells."""
    found = [read_text(p) for p in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))]
    if found:
        return [int(text) / 1e3 for text in found if text.strip().isdigit()]
    return [
        float(mhz) for mhz in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", read_text(root / "proc/cpuinfo"), re.MULTILINE)
    ]


def _same(root: Path, name: str, scale: float = 0.0) -> Reading:
    """A cpufreq value of all cores, joined where they differ; scaled to a number where `scale` is given."""
    paths = sorted((root / "sys/devices/system/cpu").glob(f"cpu[0-9]*/cpufreq/{name}"))
    values = sorted({read_text(path).strip() for path in paths} - {""})
    if not values:
        return Reading(None, "cpufreq", "the system shows no cpufreq (usual in virtual machines)")
    if scale:
        return Reading(max(int(value) for value in values) * scale, "cpufreq")
    return Reading("+".join(values), "cpufreq")


def _battery(root: Path) -> Reading:
    supplies = sorted((root / "sys/class/power_supply").glob("*/online"))
    if not supplies:
        return Reading(None, "power_supply", "the system lists no power supply (no laptop)")
    return Reading("no" if any(read_text(path).strip() == "1" for path in supplies) else "yes", "power_supply")


def _power_mode() -> Reading:
    if not shutil.which("nvpmodel"):
        return Reading(None, "nvpmodel", "no nvpmodel: not a Jetson")
    text = answer(["nvpmodel", "-q"])
    found = re.search(r"NV Power Mode:\s*(\S+)", text)
    return Reading(found[1], "nvpmodel") if found else Reading(None, "nvpmodel", "nvpmodel -q gave no mode; use sudo")


def _gpu() -> Reading:
    if not shutil.which("nvidia-smi"):
        return Reading(None, "nvidia-smi", "no nvidia-smi")
    text = answer(["nvidia-smi", "--query-gpu=name,driver_version,power.limit", "--format=csv,noheader"]).strip()
    return Reading(text, "nvidia-smi") if text else Reading(None, "nvidia-smi", "nvidia-smi finds no GPU")


def answer(command: list[str]) -> str:
    """What a program prints, "" where it fails or takes longer than ten seconds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
