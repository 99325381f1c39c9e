"""How a run ends: one way out, whoever asks for it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
IMPATIENT_S = 1.0
"""A signal that comes this long after the run was asked to end ends it at once. One that comes sooner is the same one
again: a shell hands on what the terminal has sent already."""


class Ending:
    """Why a run ends. The first to ask counts; any thread may ask, and a signal handler: nothing is locked."""

    def __init__(self) -> None:
        self.how = ""
        self._asked_s = 0.0
        self._has_begun = False

    def begin(self) -> None:
        """From here on there is something to finish: a signal asks, and no longer breaks off."""
        self._has_begun = True

    def ask(self, how: str) -> None:
        """End the run after the frame that it is at."""
        if not self.how:
            self.how, self._asked_s = how, time.monotonic()

    @property
    def is_asked(self) -> bool:
        return bool(self.how)

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """For the length of a block SIGINT, SIGTERM and SIGHUP ask the run to end; before it has begun they leave with
        SystemExit(128 + number). A signal that the process was told to ignore (nohup, a shell's background) stays so.
        """
        before = {}
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.getsignal(number) for number in SIGNALS}
            before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
        for number in before:
            signal.signal(number, self._signalled)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if not self._has_begun:
            raise SystemExit(128 + number)
        if not self.how:
            self.ask(signal.Signals(number).name)
        elif time.monotonic() - self._asked_s > IMPATIENT_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def code_of(how: str) -> int:
    """128 + number for the name of a signal, as shells have it; 0 for any other end."""
    return 128 + signal.Signals[how] if how in signal.Signals.__members__ else 0
