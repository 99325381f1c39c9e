"""What `tegrastats` prints, one line an interval, as figures.

Lines differ by board: names of rails, "mW" after powers or not, a date in front or not, "off" cores.
Format: NVIDIA Jetson Linux Developer Guide, "tegrastats Utility".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TOTALS = ("VDD_IN", "VIN", "POM_5V_IN")
"""Rails that carry the whole module's or board's power, by board."""

_RAM = re.compile(r"\bRAM (\d+)/(\d+)MB")
_CORES = re.compile(r"\bCPU \[([^\]]*)\]")
_GPU = re.compile(r"\bGR3D_FREQ (\d+)%")
_RAIL = re.compile(r"\b((?:V|POM_)[A-Z0-9_]+) (-?\d+)(?:mW)?/(-?\d+)(?:mW)?")


@dataclass(frozen=True)
class Stats:
    """One line: memory in MB, load in percent (`gpu_percent` None where the board does not tell), rails in mW."""

    ram_used_mb: int
    ram_total_mb: int
    cpu_percent: float
    gpu_percent: int | None
    power_mw: dict[str, int]

    @property
    def total_mw(self) -> int:
        """Power of the module, from the rail that carries it all, else the sum of those there are."""
        return next((self.power_mw[rail] for rail in TOTALS if rail in self.power_mw), sum(self.power_mw.values()))


def parse_line(line: str) -> Stats | None:
    """One line of tegrastats; None for anything else, such as the first line after a cold start."""
    ram, cores = _RAM.search(line), _CORES.search(line)
    if ram is None or cores is None:
        return None
    loads = [int(load) for load in re.findall(r"(\d+)%", cores[1])]
    gpu = _GPU.search(line)
    return Stats(
        int(ram[1]),
        int(ram[2]),
        sum(loads) / max(len(loads), 1),
        int(gpu[1]) if gpu else None,
        {name: int(now) for name, now, _ in _RAIL.findall(line)},
    )
