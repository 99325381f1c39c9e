"""install.sh against file systems of boards: what it finds, what it would do, what it refuses."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.edge.jetson.boards import BOARDS, make
from tests.edge.update.shop import write_wheel


def install_sh(root: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    repository = Path(__file__).resolve().parents[2]
    command = ["bash", repository / "jetson/install.sh", *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=root)


def planned(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line[2:] for line in done.stdout.splitlines() if line.startswith("+ ")]


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    write_wheel(tmp_path / "wheels", "1.5")
    return tmp_path / "wheels"


@pytest.mark.parametrize("name", [name for name in BOARDS if name not in ("nano", "xavier-nx")])
def test_a_board_is_provisioned(tmp_path: Path, wheels: Path, name: str) -> None:
    root = make(tmp_path / "root", name)
    done = install_sh(tmp_path, "--root", root, "--wheels", wheels, "--screen")
    assert done.returncode == 0, done.stderr
    assert BOARDS[name].model in done.stdout
    commands = planned(done)
    (packages,) = [c for c in commands if "apt-get install" in c]
    assert {"python3-venv", "cage", "v4l-utils"} <= set(packages.split())
    (slot,) = [c for c in commands if "slots.py first" in c]
    assert slot.endswith("echoedge[openvino,dicom,sign,cuda]==1.5 --version 1.5 --python /usr/bin/python3")
    (enable,) = [c for c in commands if c.startswith("systemctl enable")]
    assert {"echoedge-display.service", "echoedge-compile.timer", "echoedge-power.service"} <= set(enable.split())
    assert "systemctl disable --quiet echoedge.service" in commands


@pytest.mark.parametrize("name", ["nano", "xavier-nx"])
def test_jetpack_4_and_5_are_refused_before_anything_is_done(tmp_path: Path, wheels: Path, name: str) -> None:
    done = install_sh(tmp_path, "--root", make(tmp_path / "root", name), "--wheels", wheels)
    assert done.returncode == 1
    assert f"Python {BOARDS[name].python}, the runtime needs 3.10" in done.stderr
    assert not planned(done)


def test_what_is_there_is_left_alone(tmp_path: Path, wheels: Path) -> None:
    root = make(tmp_path / "root", "orin-nx")
    repository = Path(__file__).resolve().parents[2]
    for source, target in (
        (repository / "jetson/udev/70-echoedge-grabber.rules", "etc/udev/rules.d/70-echoedge-grabber.rules"),
        (repository / "edge/update/slots.py", "usr/lib/echoedge/slots.py"),
        (repository / "jetson/settings/echoedge.toml", "etc/echoedge/echoedge.toml"),
    ):
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / target)
    (root / "etc/echoedge/display.toml").write_text("source = 'the clinic changed this'\n")
    (root / "opt/echoedge/a").mkdir(parents=True)
    (root / "opt/echoedge/a/release.json").write_text('{"version": "1.4"}')
    (root / "opt/echoedge/current").symlink_to("a")
    done = install_sh(tmp_path, "--root", root, "--wheels", wheels)
    assert '"version": "1.4"' in done.stdout
    touched = " ".join(planned(done))
    for kept in ("slots.py", "70-echoedge", "echoedge.toml", "display.toml"):
        assert kept not in touched


def test_missing_packages_are_named_where_apt_is_not_wanted(tmp_path: Path, wheels: Path) -> None:
    done = install_sh(tmp_path, "--root", make(tmp_path / "root", "thor"), "--wheels", wheels, "--no-apt")
    assert "not installed because of --no-apt: python3-venv" in done.stdout
    assert not any("apt-get" in command for command in planned(done))


def test_removal_keeps_what_belongs_to_the_clinic(tmp_path: Path) -> None:
    root = make(tmp_path / "root", "orin-nx")
    removed = " ".join(planned(install_sh(tmp_path, "--root", root, "--uninstall")))
    assert "/opt/echoedge/a" in removed
    assert "/etc/echoedge" not in removed
    assert "audit" not in removed
    assert "rm -rf /opt/echoedge /etc/echoedge" in " ".join(planned(install_sh(tmp_path, "--root", root, "--purge")))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--fast"], "'--fast' is no option"), (["--power", "max"], "--power is bench, bedside or battery")],
)
def test_wrong_options(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = install_sh(tmp_path, *arguments, "--dry-run")
    assert done.returncode == 1
    assert says in done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed (make peers)")
def test_shellcheck() -> None:
    scripts = sorted((Path(__file__).resolve().parents[2] / "jetson").rglob("*.sh"))
    assert scripts
    done = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
