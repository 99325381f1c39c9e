from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import EchoEdgeError
from edge.jetson.power import Mode, commands_for, main, mode_for, modes_of
from tests.edge.jetson.boards import NVPMODEL, make

pytestmark = pytest.mark.portable

AGX = [Mode(0, "MAXN"), Mode(1, "MODE_15W"), Mode(2, "MODE_30W"), Mode(3, "MODE_50W")]
NANO = [Mode(0, "MAXN"), Mode(1, "5W")]


def test_the_modes_of_a_configuration() -> None:
    assert modes_of(NVPMODEL) == [Mode(0, "15W"), Mode(1, "25W"), Mode(2, "MAXN_SUPER"), Mode(3, "7W")]
    assert [mode.watts for mode in modes_of(NVPMODEL)] == [15, 25, None, 7]


@pytest.mark.parametrize(
    ("modes", "bench", "bedside", "battery"),
    [
        (modes_of(NVPMODEL), "MAXN_SUPER", "25W", "7W"),
        (AGX, "MAXN", "MODE_50W", "MODE_15W"),
        (NANO, "MAXN", "5W", "5W"),
        ([Mode(0, "15W"), Mode(1, "7W")], "15W", "15W", "7W"),
        ([Mode(0, "MAXN")], "MAXN", "MAXN", "MAXN"),
    ],
)
def test_modes_by_purpose(modes: list[Mode], bench: str, bedside: str, battery: str) -> None:
    chosen = [mode_for(profile, modes).name for profile in ("bench", "bedside", "battery")]
    assert chosen == [bench, bedside, battery]


def test_clocks_are_fixed_for_the_bench_alone(tmp_path: Path) -> None:
    root = make(tmp_path, "orin-nano")
    assert commands_for("bench", root) == [["nvpmodel", "-m", "2"], ["jetson_clocks", "--fan"]]
    assert commands_for("bedside", root) == [["nvpmodel", "-m", "1"]]
    assert commands_for("bedside", root, may_restart=True) == [["nvpmodel", "--force", "-m", "1"]]


def test_elsewhere_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(EchoEdgeError, match="only a Jetson has power modes"):
        commands_for("bench", tmp_path)
    with pytest.raises(EchoEdgeError, match="does not name a power mode"):
        mode_for("bench", [])


def test_a_dry_run_prints_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["battery", "--dry-run", "--root", str(make(tmp_path, "orin-nx"))]) == 0
    assert capsys.readouterr().out == "nvpmodel -m 3\n"
