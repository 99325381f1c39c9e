"""Cut an update off at every moment, in turn: python -m tests.edge.update.cuts HOME BUNDLE KEY WORK_FOLDER, one JSON a
line.

The update runs in a forked child that sends itself SIGKILL, as a power cut would end it: at each stage, and before and
after each rename, link and sync. Then the guard that systemd runs before the service is run with a Python of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from edge.update import slots
from edge.update.install import install
from tests.edge.update.shop import unpack_wheel

WATCHED = ("replace", "symlink", "sync", "unlink")


class Unsupervised:
    """A service that nobody runs."""

    def restart(self) -> None:
        """Nothing to restart."""

    def runs(self) -> bool:
        return True


def update(home: Path, bundle: Path, key: str, moment: int) -> str:
    """Install in a child that dies at the moment of this number; its name, "" where the update was over first."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            names = pipe.read().splitlines()
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
        return names[-1] if os.WIFSIGNALED(status) else ""
    count = 0

    def passing(name: str) -> None:
        nonlocal count
        count += 1
        os.write(writing, f"{name}\n".encode())
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    for call in WATCHED:
        original: Any = getattr(os, call)

        def watched(*args: Any, call: str = call, original: Any = original, **kwargs: Any) -> None:
            passing(f"before {call}")
            original(*args, **kwargs)
            passing(f"after {call}")

        setattr(os, call, watched)
    code = 1
    try:
        service = Unsupervised()
        install(home, bundle, key, service, step=passing, populate=unpack_wheel, self_test=lambda slot: None, watch_s=0)
        code = 0
    finally:
        os._exit(code)


def version_that_boots(home: Path) -> str:
    """Mend as the service's ExecStartPre does, then start the current slot's program."""
    subprocess.run(
        [sys.executable, "-I", "-S", slots.__file__, "--home", str(home), "boot"], check=True, stdout=subprocess.DEVNULL
    )
    program = subprocess.Popen([home / "current/venv/bin/echoedge"], stdout=subprocess.PIPE, text=True)
    with program:
        assert program.stdout is not None
        version = program.stdout.readline().strip()
        program.kill()
    return version


def main() -> None:
    origin, bundle, key, work = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
    moment, name = 0, "start"
    while name:
        moment += 1
        home = work / str(moment)
        shutil.copytree(origin, home, symlinks=True)
        name = update(home, bundle, key, moment)
        switched = slots.active(home) == "b"
        row = {"moment": name, "switched": switched, "boots": version_that_boots(home)}
        if slots.on_trial(home):
            slots.confirm(home)
        if slots.active(home) == "a":  # the owner tries again
            update(home, bundle, key, 0)
        row["in the end"] = slots.release_of(home, slots.active(home)).get("version")
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
