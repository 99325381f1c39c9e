from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.cli import COMMANDS

SYSTEMD = Path(__file__).resolve().parents[2] / "jetson/systemd"
SERVICES = sorted(SYSTEMD.glob("*.service"))
EXPOSURE = 25
"""2.5 of 10, as systemd-analyze wants it written."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed (make peers)"
)


@needs_systemd
@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.stem)
def test_exposure(service: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", service],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Overall exposure level" in done.stdout, done.stderr
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@needs_systemd
def test_every_unit_is_valid(tmp_path: Path) -> None:
    """In a root of its own, where the programs that units start stand as empty files."""
    units = tmp_path / "etc/systemd/system"
    shutil.copytree(SYSTEMD, units)
    for service in SERVICES:
        for program in re.findall(r"^Exec\w+=[+-]?(/\S+)", service.read_text(), re.MULTILINE):
            (tmp_path / program[1:]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / program[1:]).touch(mode=0o755)
    for name in ("sysinit.target", "basic.target", "shutdown.target", "local-fs.target"):
        (units / name).write_text("[Unit]\nDescription=here\n")
    names = [path.name for path in sorted(SYSTEMD.iterdir())]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={tmp_path}", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.stem)
def test_units_call_commands_that_exist(service: Path) -> None:
    called = re.findall(r"venv/bin/echoedge (\S+)", service.read_text())
    assert set(called) <= set(COMMANDS)


@pytest.mark.parametrize("name", ["echoedge", "echoedge-display"])
def test_a_loop_that_hangs_is_killed_and_started_again(name: str) -> None:
    text = (SYSTEMD / f"{name}.service").read_text()
    assert {"Type=notify", "Restart=always", "WatchdogSec=10", "StartLimitIntervalSec=0"} <= set(text.splitlines())
    settings = (SYSTEMD.parent / f"settings/{name.replace('echoedge-', '')}.toml").read_text()
    assert '"systemd://"' in settings
