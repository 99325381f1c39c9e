"""Files that outputs write: what may be overwritten, when a file gets its name, and that one run alone writes it."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import IO, Protocol

from edge.errors import EchoEdgeError


class OutputFile(Protocol):
    """`part` is where to write. `settle` gives the file its name, or takes it away where nothing was written; what was
    written and is not whole stays where it is."""

    path: Path
    part: Path

    def settle(self, written: bool, is_whole: bool = True) -> None: ...


class PartFile:
    """A file that is written at the end: as NAME.part, which becomes NAME once it is whole.

    Raises EchoEdgeError where the folder cannot be made or written to.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path)
        self.path, self.part = path, path.with_name(path.name + ".part")
        if not os.access(path.parent, os.W_OK):
            raise EchoEdgeError(f"cannot write to {path.parent}: no permission; give another folder")

    def settle(self, written: bool, is_whole: bool = True) -> None:
        if written and is_whole:
            os.replace(self.part, self.path)
        elif not written:
            self.part.unlink(missing_ok=True)


class GrowingFile:
    """A file that grows with the run and can be read at any moment, also after a power cut.

    NAME.mp4 is written as what it is called. Where it exists, NAME.part.mp4 is written and replaces it when it is
    whole, so that a run that breaks off costs nothing that was there; `part` gives that another name. Raises
    EchoEdgeError where another run writes it, and where it cannot be made.
    """

    def __init__(self, path: Path, part: Path | None = None) -> None:
        make_folder(path)
        self.path = path
        self.part = part or (path.with_name(f"{path.stem}.part{path.suffix}") if path.exists() else path)
        self._locks: list[IO[bytes]] = []
        try:
            if path.exists():
                self._lock(path)
            if self.part != path or not self._locks:
                self._lock(self.part)
            self.part.write_bytes(b"")
        except OSError as error:
            self._release()
            raise EchoEdgeError(f"cannot write {path}: {error.strerror}; give another folder") from error
        except EchoEdgeError:
            self._release()
            raise

    def settle(self, written: bool, is_whole: bool = True) -> None:
        if not written:
            self.part.unlink(missing_ok=True)
        elif is_whole and self.part != self.path:
            os.replace(self.part, self.path)
        self._release()

    def _lock(self, path: Path) -> None:
        """Refuse a file that another run holds. The lock goes with the process, however it ends."""
        held = path.open("ab")
        self._locks.append(held)
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EchoEdgeError(
                f"another run is writing {path}; give another folder or name (--out, --name)"
            ) from error

    def _release(self) -> None:
        for held in self._locks:
            with contextlib.suppress(OSError):
                held.close()
        self._locks.clear()


def make_folder(path: Path) -> None:
    """Make the folder of a file. Raises EchoEdgeError where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EchoEdgeError(f"cannot make the folder {path.parent}: {error.strerror}; give another one") from error
