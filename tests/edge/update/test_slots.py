from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.update import slots

pytestmark = pytest.mark.portable


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Version 1 in slot a, running; version 2 in slot b, whole."""
    for name, version in (("a", "1"), ("b", "2")):
        slots.clear(tmp_path, name)
        slots.finish(tmp_path, name, json.dumps({"version": version}).encode())
    slots.switch(tmp_path, "a", trial=False)
    return tmp_path


def log(home: Path) -> list[str]:
    return [json.loads(line)["what"] for line in (home / slots.AUDIT).read_text().splitlines()]


def test_a_trial_is_confirmed(home: Path) -> None:
    slots.switch(home, "b")
    assert (slots.active(home), slots.spare(home), slots.on_trial(home)["previous"]) == ("b", "a", "a")
    slots.confirm(home)
    assert not slots.on_trial(home)
    assert log(home) == ["switched", "switched", "confirmed"]


def test_a_slot_that_crashes_at_every_start_is_left(home: Path) -> None:
    slots.switch(home, "b")
    assert [slots.boot(home) for _ in range(slots.MAX_STARTS + 1)] == ["b"] * slots.MAX_STARTS + ["a"]
    assert not slots.on_trial(home)
    assert slots.boot(home) == "a"
    line = json.loads((home / slots.AUDIT).read_text().splitlines()[-1])
    assert (line["what"], line["to"], line["failed"]) == ("rolled back", "a", "2")


def test_a_confirmed_slot_may_be_started_for_ever(home: Path) -> None:
    assert {slots.boot(home) for _ in range(9)} == {"a"}


@pytest.mark.parametrize("target", [None, "c", "../b", "b"])
def test_a_link_to_nothing_is_mended(home: Path, target: str | None) -> None:
    (home / "current").unlink()
    if target:
        (home / "current").symlink_to(target)
        (home / "b/release.json").unlink()
    assert slots.boot(home) == "a"
    assert slots.active(home) == "a"


def test_a_trial_file_that_is_damaged_is_forgotten(home: Path) -> None:
    (home / slots.TRIAL).write_text('{"slot": "b", "prev')
    assert slots.boot(home) == "a"
    assert not (home / slots.TRIAL).exists()


def test_without_any_whole_slot_the_guard_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert slots.main(["--home", str(tmp_path), "boot"]) == 1
    assert "jetson/install.sh" in capsys.readouterr().err


def test_the_running_slot_cannot_be_cleared(home: Path) -> None:
    with pytest.raises(ValueError, match="slot a is running"):
        slots.clear(home, "a")


def test_a_slot_that_is_not_whole_cannot_become_current(home: Path) -> None:
    slots.clear(home, "b")
    with pytest.raises(ValueError, match="not whole"):
        slots.switch(home, "b")
    with pytest.raises(ValueError, match="nothing to go back to"):
        slots.roll_back(home, "asked for")
    assert slots.active(home) == "a"


def test_going_back_on_demand_works_after_the_trial_too(home: Path) -> None:
    slots.switch(home, "b")
    slots.confirm(home)
    assert slots.roll_back(home, "asked for") == "a"
    assert slots.active(home) == "a"


def test_health_without_a_trial_asks_nobody(home: Path) -> None:
    assert slots.health(home, ["echoedge.service"]) == "no trial"


def test_health_of_a_service_that_does_not_run_confirms_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real systemctl, which finds no such unit or no service manager, or none at all."""
    slots.switch(home, "b")
    assert "none of no-such-unit.service runs" in slots.health(home, ["no-such-unit.service"])
    monkeypatch.setenv("PATH", "")
    assert "none of" in slots.health(home, ["no-such-unit.service"])
    assert slots.on_trial(home)
