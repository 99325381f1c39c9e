"""What every source of frames offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from edge.preprocess import Frame


@dataclass(frozen=True)
class Captured:
    """A frame with its number, when it was captured (monotonic ns) and its time in the source (seconds)."""

    number: int
    image: Frame
    captured_ns: int
    time_s: float


class Source(AbstractContextManager["Source"], Protocol):
    """Frames in order. HxWx3 RGB or HxW grey, uint8, all of one size.

    `fps` is the source's own rate, `spacing_mm` (row, column) per pixel where the source knows it, `region`
    (x0, y0, x1, y1) the part of the screen that holds the echo where it says so, `frames` how many will come, if known.
    """

    uri: str
    fps: float
    spacing_mm: tuple[float, float] | None
    region: tuple[int, int, int, int] | None
    frames: int | None

    def __iter__(self) -> Iterator[Captured]: ...
