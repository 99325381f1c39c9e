from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.bench.machine import clocks_mhz, machine_facts
from edge.bench.monitor import Monitor

BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


@pytest.mark.parametrize("watched", [True, False])
def test_another_process_is_load_of_others_unless_it_is_watched(watched: bool) -> None:
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        with Monitor(period_s=0.2) as monitor:
            if watched:
                monitor.watch(process.pid)
            ticks_before = monitor._own_ticks()
            end = time.monotonic() + 30
            while monitor._ticks(process.pid) < 40 and time.monotonic() < end:  # 0.4 s of CPU, however long that takes
                time.sleep(0.05)
            own = monitor._own_ticks() - ticks_before
        found = monitor.conditions()
    finally:
        process.kill()
        process.wait()
    assert found.own_load_cores + found.other_load_cores > 0
    assert (own >= 25) == watched


def test_what_a_watched_process_used_stays_its_own_when_it_has_ended(tmp_path: Path) -> None:
    stat = tmp_path / "proc" / "77" / "stat"
    stat.parent.mkdir(parents=True)
    monitor = Monitor(tmp_path)
    for used in (100, 140):
        stat.write_text(f"77 (sender) S {'0 ' * 10}{used} 0 0")
        if used == 100:
            monitor.watch(77)
    assert monitor._own_ticks() == 40
    stat.unlink()
    assert monitor._own_ticks() == 40


def fake_machine(root: Path, governor: str = "schedutil") -> Path:
    for core in (0, 1):
        cpu = root / f"sys/devices/system/cpu/cpu{core}"
        (cpu / "cpufreq").mkdir(parents=True)
        (cpu / "thermal_throttle").mkdir()
        (cpu / "cpufreq/scaling_governor").write_text(f"{governor}\n")
        (cpu / "cpufreq/scaling_cur_freq").write_text(f"{1500000 + core * 500000}\n")
        (cpu / "cpufreq/cpuinfo_max_freq").write_text("2000000\n")
        (cpu / "thermal_throttle/core_throttle_count").write_text("3\n")
    zone = root / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("51500\n")
    battery = root / "sys/class/power_supply/AC"
    battery.mkdir(parents=True)
    (battery / "online").write_text("0\n")
    (root / "proc").mkdir()
    (root / "proc/stat").write_text("cpu  100 0 50 1000 0 0 0 7 0 0\n")
    (root / "proc/vmstat").write_text("pswpin 5\npswpout 6\n")
    return root


def test_facts_are_read_from_the_systems_files(tmp_path: Path) -> None:
    facts = machine_facts(fake_machine(tmp_path))
    assert facts.governor.value == "schedutil"
    assert facts.max_clock_mhz.value == 2000
    assert facts.on_battery.value == "yes"
    assert clocks_mhz(tmp_path) == [1500, 2000]


def test_heat_throttling_swap_and_steal_are_counted(tmp_path: Path) -> None:
    root = fake_machine(tmp_path)
    with Monitor(root, period_s=60) as monitor:
        (root / "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count").write_text("5\n")
        (root / "proc/vmstat").write_text("pswpin 9\npswpout 6\n")
        (root / "proc/stat").write_text("cpu  100 0 50 1000 0 0 0 9 0 0\n")
    found = monitor.conditions()
    assert found.throttled.value == 2
    assert found.swapped_pages == 4
    assert found.steal_percent > 0
    assert found.temperature_c["cpu-thermal"] == (51.5, 51.5)
    assert found.clock_mhz == (2000, 2000)


def test_an_empty_machine_breaks_nothing(tmp_path: Path) -> None:
    assert machine_facts(tmp_path).governor.value is None
    with Monitor(tmp_path) as monitor:
        pass
    found = monitor.conditions()
    assert found.clock_mhz is None
    assert found.throttled.value is None
