"""kill -9 at every stage of an update, and around each rename: what boots is the whole old version or the whole new
one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from edge.nets.signature import read_key
from edge.update import slots
from tests.edge.update.shop import keys, make_bundle, unpack_wheel, write_wheel

STAGES = {
    "clearing the spare slot",
    "unpacking and checking",
    "installing",
    "testing",
    "tidying",
    "declaring the slot whole",
    "switching",
    "restarting",
    "watching",
    "confirming",
}


def first_install(home: Path) -> None:
    """Version 1.0 in slot a, and left-overs in slot b."""
    slot = slots.clear(home, "a")
    write_wheel(slot / "incoming/wheels", "1.0")
    unpack_wheel(slot, slot / "incoming", None)  # type: ignore[arg-type]
    slots.finish(home, "a", b'{"version": "1.0"}')
    slots.switch(home, "a", trial=False)
    (home / "b/venv").mkdir(parents=True)


def test_a_power_cut_at_any_moment_leaves_a_bootable_device(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    first_install(tmp_path / "home")
    command = [sys.executable, "-m", "tests.edge.update.cuts", tmp_path / "home", make_bundle(tmp_path, "2.0", private)]
    done = subprocess.run([*command, read_key(public), tmp_path / "work"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["moment"] for row in rows} >= STAGES
    assert rows[-1]["moment"] == ""  # the last one was not cut off
    for row in rows:
        assert row["boots"] == ("2.0" if row["switched"] else "1.0"), row
        assert row["in the end"] == "2.0", row
    assert {row["switched"] for row in rows} == {True, False}
