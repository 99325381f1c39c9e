"""`echoedge update`: install a signed bundle, go back, or see what is installed. Nothing is fetched, nothing is
reported.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.errors import UpdateError
from edge.nets.signature import KEY_SETTING, read_key
from edge.terminal import terminal
from edge.update import slots
from edge.update.install import Systemd, install

HOME = Path("/opt/echoedge")
KEY = Path("/etc/echoedge/trusted_key.json")
UNITS = ("echoedge.service", "echoedge-display.service")
"""The one without a screen and the one with."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge update",
        description="Install a signed release bundle into the spare slot, test it, switch to it; go back if it fails.",
        epilog="example: echoedge update install echoedge-0.2.0-cp310-aarch64.tar",
    )
    p.add_argument("--home", type=Path, default=HOME, help=f"folder of the slots (default {HOME})")
    p.add_argument(
        "--unit", help=f"systemd unit that runs the current slot (default: of {' and '.join(UNITS)} the one that runs)"
    )
    verbs = p.add_subparsers(dest="verb", required=True)
    new = verbs.add_parser("install", help="install a bundle")
    new.add_argument("bundle", type=Path)
    new.add_argument("--key", type=Path, help=f"public key file (default: {KEY_SETTING}, else {KEY})")
    new.add_argument("--allow-older", action="store_true", help="install a version older than the present one")
    back = verbs.add_parser("rollback", help="run the other slot again")
    back.add_argument("--why", default="asked for", help="goes into the audit log")
    status = verbs.add_parser("status", help="versions in both slots, and whether one is on trial")
    status.add_argument("--json", action="store_true", help="print it as JSON")
    return p


def status_of(home: Path) -> dict[str, object]:
    """What stands in both slots: {"current", "trial", "slots": {"a": version or "", "b": …}}."""
    versions = {name: str(slots.release_of(home, name).get("version", "")) for name in slots.SLOTS}
    return {"current": slots.active(home), "trial": slots.on_trial(home), "slots": versions}


def _is_up(unit: str) -> bool:
    return slots.state_of(unit).get("ActiveState") in ("active", "activating")


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    console = terminal(stderr=True)
    if args.verb == "status":
        status = status_of(args.home)
        if args.json:
            print(msgspec.json.encode(status).decode())
        else:
            for name, version in dict(status["slots"]).items():  # type: ignore[call-overload]
                mark = " <- current" if name == status["current"] else ""
                print(f"{name}: {version or 'empty'}{mark}{' (on trial)' if mark and status['trial'] else ''}")
        return 0
    if not args.home.is_dir():
        raise UpdateError(f"{args.home} does not exist; jetson/install.sh makes it")
    service = Systemd(args.unit or next(filter(_is_up, UNITS), UNITS[0]))
    if args.verb == "rollback":
        try:
            slot = slots.roll_back(args.home, args.why)
        except ValueError as error:
            raise UpdateError(str(error)) from error
        service.restart()
        print(f"slot {slot} runs, version {slots.release_of(args.home, slot).get('version')}")
        return 0
    named = os.environ.get(KEY_SETTING)
    key = read_key(args.key or (Path(named) if named else KEY))
    release = install(
        args.home, args.bundle, key, service, step=lambda name: console.print(f"  {name}"), allow_older=args.allow_older
    )
    print(f"version {release.version} runs and is confirmed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
