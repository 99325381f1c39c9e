"""Watts, temperature and load from what the machine offers: tegrastats on a Jetson, RAPL on a PC, nvidia-smi (NVML) for
a GPU.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge.bench.result import Reading
from edge.machine import read_text

TOTAL_RAILS = ("VDD_IN", "POM_5V_IN", "VIN")
"""Names of a Jetson's whole input, by generation: Orin Nano and NX, Nano and TX, Thor."""
SUMMED_RAILS = ("VDD_GPU_SOC", "VDD_CPU_CV")
"""An AGX Orin measures its module's rails only; VIN_SYS_5V0 is the carrier's share beside them."""
GPU_FIELDS = "power.draw,utilization.gpu,temperature.gpu,clocks.sm,clocks_throttle_reasons.active"
GPU_IDLE, GPU_APPLICATION_CLOCKS = 0x1, 0x2
"""Throttle reasons of NVML that are none: nothing to do, and clocks that somebody set."""


@dataclass
class Telemetry:
    """What one line of tegrastats or nvidia-smi says; None and {} where it says nothing."""

    watts: float | None = None
    gpu_percent: float | None = None
    temperature_c: dict[str, float] = field(default_factory=dict)
    throttled: bool | None = None


def from_tegrastats(line: str) -> Telemetry:
    """Parse one line of tegrastats of JetPack 4 to 7. Rails read `VDD_IN 4900mW/4875mW`, or `VDD_IN 4900/4875` before
    5.
    """
    rails = {name: int(mw) / 1e3 for name, mw in re.findall(r"\b([A-Z][A-Z0-9_]+) (\d+)(?:mW)?/\d+(?:mW)?", line)}
    total = next((rails[name] for name in TOTAL_RAILS if name in rails), None)
    if all(name in rails for name in SUMMED_RAILS):
        total = sum(rails[name] for name in (*SUMMED_RAILS, "VIN_SYS_5V0") if name in rails)
    gpu = re.search(r"GR3D_FREQ (\d+)%", line)
    heat = {name.lower(): float(c) for name, c in re.findall(r"\b([A-Za-z0-9_]+)@([\d.]+)C", line)}
    return Telemetry(total, float(gpu[1]) if gpu else None, heat)


def from_nvidia_smi(line: str) -> Telemetry:
    """Parse one line of `nvidia-smi --query-gpu=GPU_FIELDS --format=csv,noheader,nounits`; what it cannot tell stays
    None.
    """
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != len(GPU_FIELDS.split(",")):
        return Telemetry()
    watts, load, heat = (float(c) if re.fullmatch(r"[\d.]+", c) else None for c in cells[:3])
    reasons = int(cells[4], 16) if cells[4].startswith("0x") else None
    throttled = None if reasons is None else bool(reasons & ~(GPU_IDLE | GPU_APPLICATION_CLOCKS))
    return Telemetry(watts, load, {} if heat is None else {"gpu": heat}, throttled)


class Stream:
    """A program that prints a line of telemetry twice a second, read on a thread of its own."""

    def __init__(self, name: str, command: list[str], parse: Callable[[str], Telemetry]) -> None:
        self.name = name
        self.lines: list[Telemetry] = []
        self._parse = parse
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(self._parse(line))

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def watts(self) -> Reading:
        """Mean over the lines."""
        return _mean(self.name, [line.watts for line in self.lines], "states no power")

    def gpu_percent(self) -> Reading:
        return _mean(self.name, [line.gpu_percent for line in self.lines], "states no GPU load")

    def throttled(self) -> Reading:
        """In how many lines the clock was cut."""
        known = [line.throttled for line in self.lines if line.throttled is not None]
        return Reading(float(sum(known)), self.name) if known else Reading(None, self.name, "states no throttling")


def _mean(source: str, values: list[float | None], why_not: str) -> Reading:
    known = [value for value in values if value is not None]
    return Reading(round(sum(known) / len(known), 2), source) if known else Reading(None, source, f"{source} {why_not}")


def open_stream() -> Stream | None:
    """tegrastats on a Jetson, nvidia-smi where there is a GPU, None elsewhere."""
    if shutil.which("tegrastats"):
        return Stream("tegrastats", ["tegrastats", "--interval", "500"], from_tegrastats)
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", f"--query-gpu={GPU_FIELDS}", "--format=csv,noheader,nounits", "-lms", "500"]
        return Stream("nvidia-smi", command, from_nvidia_smi)
    return None


class Rapl:
    """Energy of the CPU packages since this object was made (Linux powercap; Intel, and AMD since Zen)."""

    def __init__(self, root: Path = Path("/")) -> None:
        folder = root / "sys/class/powercap"
        self._zones = sorted(folder.glob("intel-rapl:[0-9]")) if folder.is_dir() else []
        self._last = {zone: self._energy_uj(zone) for zone in self._zones}
        self._joules = 0.0

    @staticmethod
    def _energy_uj(zone: Path) -> int | None:
        text = read_text(zone / "energy_uj").strip()
        return int(text) if text.isdigit() else None

    def update(self) -> None:
        """Add what was used since the last call; call it at least once a minute, because the counters wrap around."""
        for zone, before in self._last.items():
            now = self._energy_uj(zone)
            if now is None or before is None:
                continue
            wrap = read_text(zone / "max_energy_range_uj").strip()
            used = now - before if now >= before else now - before + int(wrap or 0)
            self._joules += used / 1e6
            self._last[zone] = now

    def watts(self, seconds: float) -> Reading:
        """Mean power of the packages; memory, display and power supply are not in it."""
        self.update()
        if not self._zones:
            return Reading(None, "RAPL", "no powercap zones (virtual machine, or no Intel or AMD CPU)")
        if all(value is None for value in self._last.values()):
            return Reading(
                None, "RAPL", "energy_uj is readable by root only: sudo chmod a+r /sys/class/powercap/*/energy_uj"
            )
        return Reading(round(self._joules / max(seconds, 1e-9), 2), "RAPL, CPU package")
