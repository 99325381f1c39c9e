"""`echoedge power`: bench, bedside and battery, whatever the board's own nvpmodel calls its modes."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EchoEdgeError

CONFIGURATION = "etc/nvpmodel.conf"


@dataclass(frozen=True)
class Mode:
    """One `< POWER_MODEL ID= NAME= >` of nvpmodel.conf; watts None where the name has none (MAXN)."""

    number: int
    name: str

    @property
    def watts(self) -> int | None:
        found = re.search(r"(\d+)W", self.name)
        return int(found[1]) if found else None


@dataclass(frozen=True)
class Profile:
    """`fixed_clocks` runs jetson_clocks, which holds every clock at its mode's maximum, and the fan; `purpose` is for
    --help.
    """

    purpose: str
    fixed_clocks: bool


PROFILES = {
    "bench": Profile("no limit, clocks held at their maximum: for figures that can be compared", True),
    "bedside": Profile("the largest stated budget, clocks follow the load: for days on end", False),
    "battery": Profile("the smallest budget", False),
}


def modes_of(configuration: str) -> list[Mode]:
    """The power modes that an nvpmodel.conf defines, in its order."""
    found = re.findall(r"^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>", configuration, re.MULTILINE)
    return [Mode(int(number), name) for number, name in found]


def mode_for(profile: str, modes: Sequence[Mode]) -> Mode:
    """The mode of a profile. Raises EchoEdgeError where there is none to choose from."""
    if not modes:
        raise EchoEdgeError(f"/{CONFIGURATION} does not name a power mode; is this a Jetson with nvpmodel installed?")
    unlimited = [mode for mode in modes if mode.name.startswith("MAXN")]
    limited = sorted((mode for mode in modes if mode.watts is not None), key=lambda mode: mode.watts or 0)
    if profile == "bench":
        # MAXN_SUPER, where the board has it, comes after MAXN in the alphabet.
        return max(unlimited, key=lambda mode: mode.name) if unlimited else (limited or list(modes))[-1]
    if not limited:
        return modes[0]
    return limited[-1] if profile == "bedside" else limited[0]


def commands_for(profile: str, root: Path = Path("/"), may_restart: bool = False) -> list[list[str]]:
    """The commands that bring a profile into force. Some modes need a restart: nvpmodel asks for it, or is forced."""
    try:
        configuration = (root / CONFIGURATION).read_text()
    except OSError as error:
        raise EchoEdgeError(
            f"cannot read /{CONFIGURATION} ({error.strerror}): only a Jetson has power modes"
        ) from error
    force = ["--force"] if may_restart else []
    commands = [["nvpmodel", *force, "-m", str(mode_for(profile, modes_of(configuration)).number)]]
    return [*commands, ["jetson_clocks", "--fan"]] if PROFILES[profile].fixed_clocks else commands


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge power",
        description="Set a Jetson's power mode by purpose. "
        + " ".join(f"{name}: {profile.purpose}." for name, profile in PROFILES.items()),
        epilog="example: echoedge power bedside --dry-run",
    )
    p.add_argument("profile", choices=tuple(PROFILES))
    p.add_argument("--dry-run", action="store_true", help="print the commands only")
    p.add_argument(
        "--may-restart", action="store_true", help="restart the board without asking where the mode needs it"
    )
    p.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    commands = commands_for(args.profile, args.root, args.may_restart)
    for command in commands:
        print(" ".join(command))
        if not args.dry_run:
            if os.geteuid() != 0:
                raise EchoEdgeError(
                    "only root can set power modes; run it with sudo, or see the commands with --dry-run"
                )
            try:
                done = subprocess.run(command, check=False)
            except OSError as error:
                raise EchoEdgeError(f"cannot run {command[0]}: {error.strerror}; it comes with JetPack") from error
            if done.returncode:
                raise EchoEdgeError(f"`{' '.join(command)}` ended with code {done.returncode}; see its output above")
    return 0
