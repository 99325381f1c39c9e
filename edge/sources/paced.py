"""Recordings that repeat, and recordings that come at their own rate like a live signal."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import TypeVar

from edge.sources.base import Captured, Source

T = TypeVar("T", bound="Wrapped")


class Wrapped:
    """Another source, opened and closed with this one; subclasses change when its frames come."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.uri, self.fps, self.frames = source.uri, source.fps, source.frames
        self.stated, self.region = source.stated, source.region

    @property
    def damaged(self) -> int:
        return self._source.damaged

    def __enter__(self: T) -> T:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)


class Repeated(Wrapped):
    """A recording over and over; numbers and times go on."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.frames = None

    def __iter__(self) -> Iterator[Captured]:
        number, start_s = 0, 0.0
        while True:
            last_s = start_s
            for frame in self._source:
                last_s = start_s + frame.time_s
                yield replace(frame, number=number, time_s=last_s)
                number += 1
            start_s = last_s + 1 / self.fps


class Paced(Wrapped):
    """A recording whose frames come when they are due; a live signal to the loop: the newest wins, late ones are
    dropped.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.status, self.reconnects = "", 0
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[Captured]:
        started: float | None = None
        for frame in self._source:
            now = time.monotonic()
            if started is None:  # decoding the first frame takes longest and must not make all others late
                started = now - frame.time_s
            if self._stopped.wait(max(0.0, started + frame.time_s - now)):
                return
            yield replace(frame, captured_ns=time.monotonic_ns())

    def stop(self) -> None:
        """End the iteration at once."""
        self._stopped.set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        super().__exit__(kind, error, trace)
