"""What every output offers."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.picture.overlay import HeadUp
from edge.refine.keyframe import Held
from edge.sources import Captured

S = TypeVar("S", bound="FileSink")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One finished picture (720x1280x3 RGB uint8, the sink's until `write` returns) with what it shows.

    `analysis` is None where the frame has none; `frame` is None for a banner that no frame belongs to. `banner`
    says why no overlay is drawn ("" where it is), `withheld` the part of it that follows from the frame itself. `best`
    holds the best frames of the run so far, `refined` the refined key frame whose still the picture shows. `at_s` is
    the picture's time in a video of the run: capture for a live source, the source's own for a recording.
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


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes finished frames in order. Leaving the context without an error makes the output final."""

    def write(self, shown: Shown) -> None: ...


@runtime_checkable
class Keyed(Protocol):
    """An output with a keyboard. `keys`: what a key does, filled in before the first picture; called on the output's
    thread.
    """

    keys: dict[str, Callable[[], None]]


class PartFile:
    """A file that appears under its name once it is whole: written as NAME.part, renamed on success, else removed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.part = path, path.with_name(path.name + ".part")

    def settle(self, error: BaseException | None, written: bool) -> None:
        """Rename when something was written and nothing failed (an interrupt by the user is no failure)."""
        if written and (error is None or isinstance(error, KeyboardInterrupt)):
            os.replace(self.part, self.path)
        else:
            self.part.unlink(missing_ok=True)


class FileSink:
    """Shared by sinks that write one file: enters and leaves, `_finish` is called before the rename."""

    def __init__(self, path: Path) -> None:
        self._file = PartFile(path)
        self._written = 0

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._finish()
        finally:
            self._file.settle(error, self._written > 0)

    def _finish(self) -> None:
        """Flush and close."""
