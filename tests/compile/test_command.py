"""What `echoedge compile` writes down, and its whole way on a small data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from compile.calibration import name_within
from edge.machine import recorded


@pytest.mark.parametrize(
    ("argument", "kept"),
    [
        ("models/net", "models/net"),
        ("../data/camus", "../data/camus"),
        ("camus:../data/camus", "camus:../data/camus"),
        ("/home/anna/models/net", ".../net"),
        ("camus:/home/anna/data/camus", "camus:.../camus"),
        ("--report=/tmp/r.html", "--report=.../r.html"),
        ("/tmp", ".../tmp"),
        ("LV Dice=0.002", "'LV Dice=0.002'"),
    ],
)
def test_recorded_commands_hold_no_folder_of_this_machine(argument: str, kept: str) -> None:
    assert recorded("compile", [argument]) == f"echoedge compile {kept}"


def test_names_of_frames_hold_no_folder_of_this_machine(tmp_path: Path) -> None:
    assert name_within(tmp_path, "camus/patient0001_4CH_ED") == "camus/patient0001_4CH_ED"
    assert name_within(tmp_path, str(tmp_path / "p1" / "a.png")) == "p1/a.png"
    assert name_within(tmp_path, "/elsewhere/data/set/p1/a.png") == "set/p1/a.png"
