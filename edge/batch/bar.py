"""How far a call is, on stderr: a bar that moves for a person, a line a clip for a pipe."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from edge.batch.find import Clip
from edge.batch.row import Row, cells
from edge.terminal import terminal


class Bar:
    """For the length of its context; warnings stand above it. Where nobody reads any more the clips still go on."""

    def __init__(self, clips: int) -> None:
        self._clips, self._moves = clips, sys.stderr.isatty()
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=terminal(stderr=True), disable=not self._moves, transient=True)
        self._task = self._bar.add_task("", total=clips)
        self._logs: list[logging.StreamHandler[TextIO]] = []

    def __enter__(self) -> Bar:
        before = sys.stderr
        with suppress(OSError):
            self._bar.start()
        handlers = logging.getLogger().handlers if sys.stderr is not before else []
        self._logs = [log for log in handlers if isinstance(log, logging.StreamHandler) and log.stream is before]
        self._log_to(sys.stderr)
        return self

    def begins(self, clip: Clip) -> None:
        """A clip is at work."""
        with suppress(OSError):
            self._bar.update(self._task, description=clip.name)

    def ends(self, row: Row) -> None:
        """A clip has its row."""
        with suppress(OSError):
            self._bar.advance(self._task)
            if not self._moves and row.status != "not begun":
                _, name, view, ef, *_, result = cells(row)
                print(f"{row.number}/{self._clips} {name}: {view}, EF {ef} %, {result}", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._bar.stop()
        self._log_to(sys.stderr)

    def _log_to(self, stream: TextIO) -> None:
        for log in self._logs:
            log.setStream(stream)
