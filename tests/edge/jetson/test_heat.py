from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.jetson.heat import HOLD_S, Heat, HeatWatch, Zone, read_heat
from tests.edge.jetson.boards import heat_zone, make, write

pytestmark = pytest.mark.portable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path, "orin-nx")


def test_a_cool_board(root: Path) -> None:
    heat = read_heat(root)
    assert [zone.name for zone in heat.zones] == ["cpu", "tj"]  # the powered-down GPU's sensor cannot be read
    assert heat.hottest == Zone("tj", 49.5, 99.0)
    assert not heat.warm
    assert not heat.throttling  # a turning fan is none


@pytest.mark.parametrize(("milli", "warm", "throttling"), [("93900", 0, 0), ("94000", 1, 0), ("99000", 1, 1)])
def test_the_distance_to_the_passive_trip_decides(root: Path, milli: str, warm: bool, throttling: bool) -> None:
    heat_zone(root, 0, "cpu-thermal", milli)
    heat = read_heat(root)
    assert (heat.warm, heat.throttling) == (warm, throttling)


def test_an_alert_of_the_kernel_is_throttling(root: Path) -> None:
    write(root / "sys/class/thermal/cooling_device1/cur_state", "1")
    assert read_heat(root).throttling


def test_a_machine_without_sensors(tmp_path: Path) -> None:
    assert read_heat(tmp_path) == Heat((), (), {})
    assert read_heat(tmp_path).hottest is None


def test_the_watch_rises_at_once_and_falls_late() -> None:
    watch = HeatWatch()
    cool, hot = Heat((Zone("tj", 50, 99),), (), {}), Heat((Zone("tj", 99, 99),), (), {})
    watch.look(cool, 0.0)
    assert (watch.level, watch.warning) == (0, "")
    watch.look(hot, 1.0)
    assert (watch.level, watch.warning) == (2, "THROTTLED: tj 99 C")
    watch.look(cool, 0.9 + HOLD_S)
    assert watch.level == 2
    watch.look(cool, 1.1 + HOLD_S)
    assert (watch.level, watch.warning) == (0, "")


def test_events_before_the_start_are_no_news_and_later_ones_are_named() -> None:
    watch = HeatWatch()
    zones = (Zone("tj", 50, 99),)
    watch.look(Heat(zones, (), {"oc1": 0, "oc2": 0, "oc3": 27390}), 0.0)
    assert watch.level == 0
    watch.look(Heat(zones, (), {"oc1": 1, "oc2": 0, "oc3": 27390}), 1.0)
    assert (watch.level, watch.warning) == (2, "THROTTLED: under-voltage")


def test_the_watch_sees_the_files_change(root: Path) -> None:
    watch = HeatWatch(root, poll_s=0.01).start()
    heat_zone(root, 0, "cpu-thermal", "99500")
    for _ in range(500):
        if watch.level == 2:
            break
        time.sleep(0.01)
    watch.stop()
    assert watch.warning == "THROTTLED: cpu 100 C"
