"""What every output offers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.picture.overlay import HeadUp
from edge.preprocess import Frame
from edge.refine.keyframe import Held
from edge.sinks.files import OutputFile
from edge.sources import Captured

S = TypeVar("S", bound="FileSink")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One finished picture (720x1280x3 RGB uint8, the sink's until `write` returns) with what it shows.

    `analysis` is None where the frame has none; `frame` is None for a banner that no frame belongs to. `banner`
    says why no overlay is drawn ("" where it is), `withheld` the part of it that follows from the frame itself. `best`
    holds the best frames of the run so far, `refined` the refined key frame whose still the picture shows. `at_s` is
    the picture's time in a video of the run: capture for a live source, the source's own for a recording. `label` is
    what the operator wants on stills. Of the screen nothing but the sector is left in all of these; `screen` is the
    whole of it, given to local outputs alone and where that was asked for, to be shown at `side` (x0, y0, x1, y1).
    """

    picture: NDArray[np.uint8]
    head: HeadUp
    analysis: Analysis | None = None
    frame: Captured | None = None
    banner: str = ""
    withheld: str = ""
    best: Best | None = None
    at_s: float = 0.0
    refined: Held | None = None
    label: str = ""
    screen: Frame | None = None
    side: tuple[int, int, int, int] = (0, 0, 0, 0)


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes finished frames in order. Leaving the context makes the output final, also after an error."""

    def write(self, shown: Shown) -> None: ...


@dataclass(frozen=True)
class Key:
    """What a key does, in words and in deed."""

    does: str
    act: Callable[[], None]


@runtime_checkable
class Keyed(Protocol):
    """An output with a keyboard, before which a person stands: it alone may show the whole screen.

    `keys` is filled in before the first picture; actions are called on a thread of the output.
    """

    keys: dict[str, Key]


@runtime_checkable
class Closable(Protocol):
    """An output that a person can close. `closed` is called then, on a thread of the output; the loop sets it."""

    closed: Callable[[], None]


@runtime_checkable
class Finishes(Protocol):
    """An output that has something to finish once no picture comes any more.

    `finish` is called on the thread that wrote, before the context is left, and again then: the second call does
    nothing.
    """

    def finish(self) -> None: ...


class FileSink:
    """Shared by sinks that write one file: `_finish` is called once, before the file gets its name."""

    def __init__(self, file: OutputFile) -> None:
        self._file = file
        self._written = 0
        self._is_finished = False

    def __enter__(self: S) -> S:
        return self

    def finish(self) -> None:
        """Make the file whole; one in which nothing was written goes."""
        if self._is_finished:
            return
        self._is_finished = True
        try:
            self._finish()
        except BaseException:
            self._file.settle(self._written > 0, is_whole=False)
            raise
        self._file.settle(self._written > 0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def _finish(self) -> None:
        """Flush and close."""
