"""Two slots on the device, `a` and `b`, and a symbolic link `current` to the one that runs.

Standard library only and fit for Python 3.8: jetson/install.sh copies this file beside the slots, where systemd runs it
with the system's Python before every start of the service (`boot`), so that a broken slot cannot keep it from going
back.

    HOME/a, HOME/b       venv/, engines/ and release.json, which is written last: a slot without it is not used
    HOME/current         -> a; replaced by rename(2), so that it names one whole slot at every moment
    HOME/trial.json      there while the current slot has not yet proved itself
    HOME/audit.jsonl     what was done when, and why; one JSON object a line, only ever appended to
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SLOTS = ("a", "b")
MAX_STARTS = 3
"""So often a slot on trial may be started; the next start goes back to the other one."""
USER = "echoedge"
RELEASE, TRIAL, AUDIT, CURRENT = "release.json", "trial.json", "audit.jsonl", "current"


def is_whole(slot: Path) -> bool:
    """Whether a slot was written to its end."""
    return (slot / RELEASE).is_file()


def active(home: Path) -> str:
    """Name of the current slot, "" where there is none."""
    try:
        name = os.readlink(home / CURRENT)
    except OSError:
        return ""
    return name if name in SLOTS and is_whole(home / name) else ""


def spare(home: Path) -> str:
    """Name of the slot that the next update is written to."""
    return "b" if active(home) == "a" else "a"


def release_of(home: Path, slot: str) -> dict[str, object]:
    """What release.json of a slot says; empty for a slot that is not whole."""
    try:
        return dict(json.loads((home / slot / RELEASE).read_text()))
    except (OSError, ValueError):
        return {}


def audit(home: Path, what: str, **facts: object) -> None:
    """Append one line to the audit log and have it on the disk before going on."""
    line = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "what": what, **facts}
    with (home / AUDIT).open("a") as log:
        log.write(json.dumps(line) + "\n")
        log.flush()
        os.fsync(log.fileno())


def clear(home: Path, slot: str) -> Path:
    """Empty a slot that does not run; its release.json goes first, so that a half-deleted slot is never whole."""
    path = home / slot
    if slot == active(home):
        raise ValueError(f"slot {slot} is running")
    (path / RELEASE).unlink() if is_whole(path) else None
    _sync(path)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def install_wheels(slot: Path, wheels: Path, requirement: str, python: str = "/usr/bin/python3") -> None:
    """An environment in a slot with our wheel and its dependencies, from a folder alone.

    It sees the system's packages, since TensorRT's Python module comes with JetPack. Raises CalledProcessError.
    """
    subprocess.run([python, "-m", "venv", "--system-site-packages", str(slot / "venv")], check=True)
    pip = [str(slot / "venv/bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    # --ignore-installed: what the system has is of another version, and may change under us.
    offline = ["--no-index", "--find-links", str(wheels), "--ignore-installed", "--no-warn-script-location"]
    subprocess.run([*pip, "install", *offline, requirement], check=True, env=_without_pip_settings())


def finish(home: Path, slot: str, release: bytes) -> None:
    """Declare a slot whole, after everything in it has reached the disk.

    `engines` is the one folder in it that the service's user may write: the first boot builds them there.
    """
    engines = home / slot / "engines"
    engines.mkdir(exist_ok=True)
    with contextlib.suppress(LookupError, PermissionError):  # no such user: a device without our service, or a test
        shutil.chown(engines, USER, USER)
    os.sync()
    _write(home / slot / RELEASE, release)


def switch(home: Path, slot: str, trial: bool = True) -> None:
    """Make a slot the current one, at once and on trial (unless it is the first). Raises ValueError for one that is not
    whole.
    """
    if not is_whole(home / slot):
        raise ValueError(f"slot {slot} is not whole")
    previous = active(home)
    if trial and previous:
        _write(home / TRIAL, json.dumps({"slot": slot, "previous": previous, "starts": 0}).encode())
    _point(home, slot)
    audit(home, "switched", to=slot, version=release_of(home, slot).get("version"), previous=previous)


def on_trial(home: Path) -> dict[str, object]:
    """The trial that is under way, empty where there is none."""
    try:
        found = json.loads((home / TRIAL).read_text())
    except (OSError, ValueError):
        return {}
    return dict(found)


def confirm(home: Path) -> None:
    """The current slot has proved itself."""
    slot = active(home)
    _remove(home / TRIAL)
    audit(home, "confirmed", slot=slot, version=release_of(home, slot).get("version"))


def roll_back(home: Path, why: str) -> str:
    """Go back to the slot before, whatever `current` says; its name. The failed slot is not whole any more."""
    previous = str(on_trial(home).get("previous", "")) or spare(home)
    failed = next(name for name in SLOTS if name != previous)
    if not is_whole(home / previous):
        raise ValueError(f"slot {previous} is not whole: there is nothing to go back to")
    version = release_of(home, failed).get("version")
    _point(home, previous)
    _remove(home / TRIAL)
    audit(home, "rolled back", to=previous, version=release_of(home, previous).get("version"), failed=version, why=why)
    return previous


def boot(home: Path) -> str:
    """Before every start of the service: mend what a power cut left; the slot that will run.

    A trial that was cut off before the switch is forgotten, one that has been started MAX_STARTS times without being
    confirmed is rolled back, and a link to nothing is set to a whole slot. Raises ValueError where no slot is whole.
    """
    trial = on_trial(home)
    slot = active(home)
    if not slot:
        whole = [name for name in SLOTS if is_whole(home / name)]
        if not whole:
            raise ValueError(f"neither slot in {home} is whole: run jetson/install.sh again")
        slot = str(trial.get("previous")) if trial.get("previous") in whole else whole[0]
        _point(home, slot)
        audit(home, "mended", to=slot)
    if not trial:
        _remove(home / TRIAL)
    elif trial.get("slot") != slot:
        _remove(home / TRIAL)
        audit(home, "trial forgotten", slot=trial.get("slot"))
    elif int(str(trial.get("starts", 0))) >= MAX_STARTS:
        slot = roll_back(home, f"started {MAX_STARTS} times without being confirmed")
    else:
        _write(home / TRIAL, json.dumps({**trial, "starts": int(str(trial.get("starts", 0))) + 1}).encode())
    return slot


def health(home: Path, services: list[str]) -> str:
    """Run every minute: confirm a slot on trial that one of the services runs; what was found."""
    if not on_trial(home):
        return "no trial"
    if not any(service_runs(service) for service in services):
        return f"none of {', '.join(services)} runs"
    confirm(home)
    return "confirmed"


def state_of(unit: str) -> dict[str, str]:
    """What systemd says of a unit: ActiveState, SubState, NRestarts and StatusText; empty without systemd."""
    if shutil.which("systemctl") is None:
        return {}
    asked = ["systemctl", "show", unit, "--property=ActiveState,SubState,NRestarts,StatusText"]
    done = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=False)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def service_runs(unit: str) -> bool:
    """Whether a unit of systemd is up and was not restarted after a crash since it was last started by hand.

    "activating" is a service that waits for its first picture, since the scanner may be off; with the substate
    "auto-restart" it is one that has crashed.
    """
    state = state_of(unit)
    up = state.get("ActiveState") in ("active", "activating", "deactivating", "reloading")
    return up and state.get("SubState") != "auto-restart" and state.get("NRestarts", "0") == "0"


def _point(home: Path, slot: str) -> None:
    temporary = home / (CURRENT + ".new")
    if temporary.is_symlink():
        temporary.unlink()
    os.symlink(slot, temporary)
    os.replace(temporary, home / CURRENT)
    _sync(home)


def _write(path: Path, content: bytes) -> None:
    """The whole content or the former one, also after a power cut."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync(path.parent)


def _remove(path: Path) -> None:
    if path.exists():
        path.unlink()
        _sync(path.parent)


def _sync(folder: Path) -> None:
    if not folder.is_dir():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _without_pip_settings() -> dict[str, str]:
    """A user's pip.conf may name an index; the device asks none."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--home", type=Path, default=Path("/opt/echoedge"))
    verbs = p.add_subparsers(dest="verb", required=True)
    verbs.add_parser("boot", help="before the service starts: mend and choose the slot")
    verbs.add_parser("health", help="confirm a slot on trial that runs").add_argument("services", nargs="+")
    first = verbs.add_parser("first", help="fill a slot from a wheelhouse and make it current, without trial")
    first.add_argument("wheels", type=Path)
    first.add_argument("requirement", help="such as 'echoedge[openvino]==0.1.0'")
    first.add_argument("--version", required=True)
    first.add_argument("--python", default="/usr/bin/python3")
    args = p.parse_args(argv)
    try:
        if args.verb == "boot":
            print(boot(args.home))
        elif args.verb == "health":
            print(health(args.home, args.services))
        else:
            slot = spare(args.home)
            install_wheels(clear(args.home, slot), args.wheels, args.requirement, args.python)
            finish(args.home, slot, json.dumps({"version": args.version}).encode())
            switch(args.home, slot, trial=False)
            print(slot)
    except (ValueError, subprocess.CalledProcessError) as error:
        print(f"echoedge slots: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
