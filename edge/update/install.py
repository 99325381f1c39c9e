"""An update from bundle to running service: into the spare slot, tested there, switched to, watched, and back if it
fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from edge.errors import UpdateError
from edge.update import slots
from edge.update.bundle import Release, check_fits, unpack

EXTRAS = "openvino,dicom,sign,cuda"
INCOMING = "incoming"
SELF_TEST = ("run", "synth://a4c?frames=40", "--json")
WATCH_S, LOOK_S = 6.0, 0.2


class Service(Protocol):
    """What runs the current slot."""

    def restart(self) -> None:
        """Stop what runs and start the current slot; return without waiting for its first picture."""

    def runs(self) -> bool:
        """Whether it is up now. Waiting for a first picture counts: the scanner may be off."""


@dataclass(frozen=True)
class Systemd:
    """A unit of the service manager."""

    unit: str

    def restart(self) -> None:
        # Also sets the count of restarts to zero, which `service_runs` looks at.
        subprocess.run(["systemctl", "reset-failed", self.unit], check=False, capture_output=True)
        subprocess.run(["systemctl", "restart", "--no-block", self.unit], check=True)

    def runs(self) -> bool:
        return slots.service_runs(self.unit)


def populate(slot: Path, incoming: Path, release: Release) -> None:
    """Install a bundle's wheels into a slot's own environment and lay its models beside it."""
    slots.install_wheels(slot, incoming / "wheels", f"echoedge[{EXTRAS}]=={release.version}", sys.executable)
    if (incoming / "models").is_dir():
        os.replace(incoming / "models", slot / "models")


def self_test(slot: Path) -> None:
    """Analyse a synthetic loop with the new slot before switching. Raises UpdateError with its last line."""
    done = subprocess.run([str(slot / "venv/bin/echoedge"), *SELF_TEST], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise UpdateError(f"the new version fails its self-test ({' '.join(said)}); the old one keeps running")


def install(
    home: Path,
    bundle: Path,
    key: str,
    service: Service,
    *,
    step: Callable[[str], None],
    populate: Callable[[Path, Path, Release], None] = populate,
    self_test: Callable[[Path], None] = self_test,
    allow_older: bool = False,
    watch_s: float = WATCH_S,
) -> Release:
    """Install a bundle and leave it running and confirmed; `step` hears of each stage before it begins.

    The running slot is not touched. Raises UpdateError or ModelError where the bundle is refused, fails its self-test,
    or does not stay up for `watch_s`; in the last case the former slot runs again.
    """
    slot = home / slots.spare(home)
    if slots.on_trial(home):
        raise UpdateError("an update is still on trial; wait until it is confirmed, or `echoedge update rollback`")
    installed = str(slots.release_of(home, slots.active(home)).get("version", "0"))
    step("clearing the spare slot")
    slots.clear(home, slot.name)
    step("unpacking and checking")
    try:
        release = unpack(bundle, slot / INCOMING, key)
        check_fits(release, installed, allow_older)
        step("installing")
        populate(slot, slot / INCOMING, release)
        step("testing")
        self_test(slot)
    except (UpdateError, subprocess.CalledProcessError, OSError) as error:
        slots.audit(home, "refused", bundle=bundle.name, why=str(error))
        slots.clear(home, slot.name)
        if isinstance(error, UpdateError):
            raise
        raise UpdateError(f"{bundle.name} cannot be installed ({error}); the old version keeps running") from error
    step("tidying")
    shutil.rmtree(slot / INCOMING)
    step("declaring the slot whole")
    slots.finish(home, slot.name, msgspec.json.encode(release))
    step("switching")
    slots.switch(home, slot.name)
    step("restarting")
    service.restart()
    step("watching")
    if not _stays_up(service, watch_s):
        step("rolling back")
        slots.roll_back(home, f"did not stay up for {watch_s:g} s")
        service.restart()
        raise UpdateError(
            f"version {release.version} did not stay up for {watch_s:g} s; version {installed} runs again"
        )
    step("confirming")
    slots.confirm(home)
    return release


def _stays_up(service: Service, watch_s: float) -> bool:
    end_s = time.monotonic() + watch_s
    while time.monotonic() < end_s:
        if not service.runs():
            return False
        time.sleep(LOOK_S)
    return service.runs()
