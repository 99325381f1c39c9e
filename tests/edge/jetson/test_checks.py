from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.doctor import examine
from edge.finding import Finding
from edge.jetson.checks import examine_jetson
from edge.update import slots
from tests.edge.jetson.boards import heat_zone, make, write


def found(root: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine_jetson(root)}


def test_a_fresh_orin(tmp_path: Path) -> None:
    rows = found(make(tmp_path, "orin-nx"))
    assert rows["module"].detail == "orin-nx, SM 87, 2 DLA cores, shared memory yes, 1 scanners"
    assert rows["power mode"].detail == "25W, of 15W, 25W, MAXN_SUPER, 7W"
    assert rows["heat"].detail == "tj 50 °C, throttles at 99"
    assert "10.3.0.30 is installed, this Python does not see it" in rows["TensorRT here"].detail
    assert rows["slots"].remedy == "sudo jetson/install.sh"
    assert all(row.remedy for row in rows.values() if row.state != "ok")


def installed(root: Path) -> None:
    home = root / "opt/echoedge"
    slots.clear(home, "a")
    slots.finish(home, "a", json.dumps({"version": "1.2"}).encode())
    slots.switch(home, "a", trial=False)
    write(home / "a/engines/models.env", "ECHOEDGE_MODEL=/opt/echoedge/a/engines/pspnet-mk\n")
    write(root / "etc/echoedge/trusted_key.json", "{}")
    write(root / "dev/video0", "")
    (root / "dev/echoedge-grabber").symlink_to("video0")


def hot(root: Path) -> None:
    heat_zone(root, 0, "cpu-thermal", "100000")


def weak_supply(root: Path) -> None:
    write(root / "sys/class/hwmon/hwmon3/oc1_event_cnt", "7")


def failed_engines(root: Path) -> None:
    installed(root)
    (root / "opt/echoedge/a/engines/models.env").unlink()
    write(root / "opt/echoedge/a/engines/failed.txt", "No engine could be built")


@pytest.mark.parametrize(
    ("happened", "name", "state", "says"),
    [
        (installed, "slots", "ok", "a 1.2, b empty; a runs"),
        (installed, "engines", "ok", "ECHOEDGE_MODEL="),
        (installed, "updates", "ok", "trusted_key.json"),
        (installed, "grabber", "ok", "-> video0"),
        (failed_engines, "engines", "absent", "No engine could be built"),
        (hot, "heat", "absent", "THROTTLING: cpu 100"),
        (weak_supply, "heat", "absent", "7 under-voltage since boot"),
    ],
)
def test_what_happened_is_found(
    tmp_path: Path, happened: Callable[[Path], None], name: str, state: str, says: str
) -> None:
    happened(make(tmp_path, "orin-nano"))
    row = found(tmp_path)[name]
    assert row.state == state
    assert says in row.detail


def test_a_board_that_is_too_old_is_broken(tmp_path: Path) -> None:
    row = found(make(tmp_path, "xavier-nx"))["module"]
    assert row.state == "broken"
    assert "flash JetPack 6" in row.remedy


def test_the_doctor_adds_them_on_demand(tmp_path: Path) -> None:
    make(tmp_path, "thor")
    plain, more = examine(tmp_path), examine(tmp_path, "jetson")
    assert [f.name for f in more[: len(plain)]] == [f.name for f in plain]
    assert "module" in {f.name for f in more} - {f.name for f in plain}
    assert "JetPack 7.0" in next(f for f in plain if f.name == "Jetson").detail
