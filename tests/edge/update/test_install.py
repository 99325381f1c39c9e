"""Whole updates of a small real product, run by a supervisor of real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import EchoEdgeError, UpdateError
from edge.nets.signature import read_key
from edge.update import slots
from edge.update.command import main, status_of
from edge.update.install import install
from tests.edge.update.shop import CRASHES, keys, make_bundle, unpack_wheel, write_wheel
from tests.edge.update.test_power_cut import first_install


class Processes:
    """Runs the current slot's program, as systemd does: the guard first, then the program; no restart after a crash."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: subprocess.Popen[str] | None = None
        self.versions: list[str] = []

    def restart(self) -> None:
        self.stop()
        slots.boot(self._home)
        program = self._home / "current/venv/bin/echoedge"
        self._running = subprocess.Popen([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._running.stdout is not None
        self.versions.append(self._running.stdout.readline().strip())

    def runs(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def stop(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.communicate()


class Device:
    """Version 1.0 runs in slot a."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.private, self.public = keys(folder)
        first_install(self.home)
        self.service = Processes(self.home)
        self.service.restart()

    def update(self, bundle: Path, **changes: object) -> None:
        settings = {"populate": unpack_wheel, "self_test": lambda slot: None, "watch_s": 0.5, **changes}
        install(self.home, bundle, read_key(self.public), self.service, step=lambda name: None, **settings)  # type: ignore[arg-type]

    @property
    def log(self) -> list[str]:
        return [json.loads(line)["what"] for line in (self.home / slots.AUDIT).read_text().splitlines()]


@pytest.fixture
def device(tmp_path: Path):  # type: ignore[no-untyped-def]
    made = Device(tmp_path)
    yield made
    made.service.stop()


def test_a_good_update_runs_and_is_confirmed(tmp_path: Path, device: Device) -> None:
    device.update(make_bundle(tmp_path, "2.0", device.private))
    assert device.service.versions == ["1.0", "2.0"]
    assert status_of(device.home) == {"current": "b", "trial": {}, "slots": {"a": "1.0", "b": "2.0"}}
    assert device.log[-2:] == ["switched", "confirmed"]
    device.update(make_bundle(tmp_path, "3.0", device.private))
    assert slots.active(device.home) == "a"
    assert device.service.versions[-1] == "3.0"


def test_a_version_that_crashes_is_rolled_back_and_the_old_one_runs(tmp_path: Path, device: Device) -> None:
    with pytest.raises(UpdateError, match=r"version 2.0 did not stay up .* version 1.0 runs again"):
        device.update(make_bundle(tmp_path, "2.0", device.private, CRASHES))
    assert device.service.versions == ["1.0", "", "1.0"]
    assert device.service.runs()
    assert slots.active(device.home) == "a"
    assert device.log[-1] == "rolled back"


def test_a_version_that_fails_its_test_never_runs(tmp_path: Path, device: Device) -> None:
    def fails(slot: Path) -> None:
        raise UpdateError("no frames")

    with pytest.raises(UpdateError, match="no frames"):
        device.update(make_bundle(tmp_path, "2.0", device.private), self_test=fails)
    assert device.service.versions == ["1.0"]
    assert device.log[-1] == "refused"


def test_another_publishers_bundle_changes_nothing(tmp_path: Path, device: Device) -> None:
    other, _ = keys(tmp_path / "other")
    with pytest.raises(EchoEdgeError, match="not by the trusted one"):
        device.update(make_bundle(tmp_path, "2.0", other))
    assert device.service.versions == ["1.0"]
    assert status_of(device.home)["slots"] == {"a": "1.0", "b": ""}


def test_no_update_on_top_of_a_trial(tmp_path: Path, device: Device) -> None:
    bundle = make_bundle(tmp_path, "2.0", device.private)
    device.update(bundle)
    slots.roll_back(device.home, "asked for")
    slots.switch(device.home, "b")
    with pytest.raises(UpdateError, match="still on trial"):
        device.update(bundle)


def test_a_real_environment_from_a_wheelhouse(tmp_path: Path) -> None:
    """venv and pip as on the device; the guard's own command line, which jetson/install.sh calls."""
    write_wheel(tmp_path / "wheels", "1.5")
    home = tmp_path / "opt"
    arguments = [
        "first",
        tmp_path / "wheels",
        "echoedge[openvino,cuda]==1.5",
        "--version",
        "1.5",
        "--python",
        sys.executable,
    ]
    command = [sys.executable, "-I", slots.__file__, "--home", home, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    program = subprocess.Popen([home / "current/venv/bin/echoedge"], stdout=subprocess.PIPE, text=True)
    with program:
        assert program.stdout is not None
        assert program.stdout.readline().strip() == "1.5"
        program.kill()
    assert "include-system-site-packages = true" in (home / "a/venv/pyvenv.cfg").read_text()
    assert (home / "a/engines").is_dir()


def test_an_installation_that_fails_leaves_no_slot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["first", str(tmp_path), "echoedge==9.9", "--version", "9.9", "--python", "/bin/false"]
    assert slots.main(["--home", str(tmp_path / "opt"), *arguments]) == 1
    assert "/bin/false" in capsys.readouterr().err
    assert slots.active(tmp_path / "opt") == ""


def test_the_command_tells_what_is_installed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first_install(tmp_path)
    assert main(["--home", str(tmp_path), "status"]) == 0
    assert capsys.readouterr().out == "a: 1.0 <- current\nb: empty\n"
    assert main(["--home", str(tmp_path), "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["current"] == "a"
    with pytest.raises(UpdateError, match="does not exist"):
        main(["--home", str(tmp_path / "absent"), "install", "x.tar"])
    with pytest.raises(UpdateError, match="nothing to go back to"):
        main(["--home", str(tmp_path), "rollback"])
