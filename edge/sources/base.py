"""What every source of frames offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from edge.preprocess import Frame
from edge.screen.setting import Decided
from edge.stated import Stated


@dataclass(frozen=True)
class Captured:
    """A frame with its number, when it was captured (monotonic ns) and its time in the source (seconds).

    `pixel_format` and `colour_space` say what the source delivered before it became RGB or grey. `decided` is None but
    for a frame of a recording: what was decided about it then. `decode_ms` is what decoding and conversion took, 0
    where the source does not tell. `stated` is the frame's own scale where a sender states one with every picture, None
    where the source's holds.
    """

    number: int
    image: Frame
    captured_ns: int
    time_s: float
    pixel_format: str = "rgb24"
    colour_space: str = "unspecified"
    decided: Decided | None = None
    decode_ms: float = 0.0
    stated: Stated | None = None


class Source(AbstractContextManager["Source"], Protocol):
    """Frames in order. HxWx3 RGB or HxW grey, uint8; a recording's are all of one size, a live signal's may change.

    `uri` holds no credentials. `fps` is the source's own rate, `stated` the scale that it states, `region` (x0, y0, x1,
    y1) the part of the screen that holds the echo where it says so, `frames` how many it declares, if it does.
    `damaged` counts those that did not come out whole, after the last frame also those that never came.
    """

    uri: str
    fps: float
    stated: Stated
    region: tuple[int, int, int, int] | None
    frames: int | None

    @property
    def damaged(self) -> int: ...

    def __iter__(self) -> Iterator[Captured]: ...


@runtime_checkable
class Live(Protocol):
    """A source that has its own pace: the newest frame wins, late ones are dropped, a loss of signal is survived.

    `status` says in words what it does now ("" while frames come), `reconnects` counts. `stop` ends the iteration soon;
    it may be called from any thread.
    """

    status: str
    reconnects: int

    def stop(self) -> None: ...
