"""A live signal that is opened again whenever it ends or breaks."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from edge.errors import SourceError
from edge.preprocess import Frame
from edge.sources.base import Captured
from edge.stated import Stated

log = logging.getLogger(__name__)

LEAP_S = 1.0
"""A feed's time that runs ahead of the clock by more than this between two pictures belongs to a sender that began
anew.
"""


@dataclass(frozen=True)
class Picture:
    """One picture of a feed: RGB or grey uint8, its time in the feed (s, None where unknown), what it was before.

    `decode_ms` is what decoding and conversion took, 0 where the feed does not tell; `stated` its scale where every
    picture brings one.
    """

    image: Frame
    time_s: float | None
    pixel_format: str
    colour_space: str = "unspecified"
    decode_ms: float = 0.0
    stated: Stated | None = None


class Feed(Protocol):
    """One connection. Iterating raises SourceError when it breaks and ends when the sender does.

    `damaged` counts the pictures that came and did not decode.
    """

    fps: float

    @property
    def damaged(self) -> int: ...

    def __iter__(self) -> Iterator[Picture]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Backoff:
    """Waits between attempts: `first_s`, doubling up to `longest_s`, each shortened at random by up to `jitter`.

    The jitter keeps several devices from knocking at a restarted server at once. No wait is longer than a second,
    however long the sender was away: someone stands at the bedside and waits for the picture.
    """

    first_s: float = 0.25
    longest_s: float = 1.0
    jitter: float = 0.5

    def wait_s(self, attempt: int, chance: float) -> float:
        """Seconds to wait before attempt 1, 2, …; `chance` is uniform in [0, 1)."""
        whole = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 32))
        return whole * (1 - self.jitter * chance)


class LiveSource:
    """Frames of a feed, opened again with back-off after every break until `stop`.

    The first opening fails at once with SourceError, so that a mistyped address is seen; with `wait` it is tried again
    like any later one, for a device that starts before the scanner.
    """

    region: tuple[int, int, int, int] | None = None
    frames: int | None = None

    def __init__(
        self,
        uri: str,
        opener: Callable[[], Feed],
        wait: bool = False,
        backoff: Backoff | None = None,
        fps: float = 30.0,
    ) -> None:
        self.uri, self.fps = uri, fps
        self.stated = Stated()
        self.status, self.reconnects = "", 0
        self._opener, self._backoff = opener, backoff or Backoff()
        self._stopped = threading.Event()
        self._feed: Feed | None = None
        self._damaged_before = 0
        if wait:
            self.status = f"waiting for {uri}"
        else:
            self._open()

    def _open(self) -> None:
        self._feed = self._opener()
        self.fps = self._feed.fps

    @property
    def damaged(self) -> int:
        """Pictures of all connections that came and did not decode."""
        feed = self._feed
        return self._damaged_before + (feed.damaged if feed is not None else 0)

    def __iter__(self) -> Iterator[Captured]:
        number, attempt, offset_s, last_s, last_elapsed = 0, 0, 0.0, 0.0, 0.0
        started = time.monotonic()
        opened = self._feed is not None
        while not self._stopped.is_set():
            try:
                if self._feed is None:
                    self._open()
                    self.reconnects += opened
                    opened = True
                assert self._feed is not None
                first = True
                for picture in self._feed:
                    if self._stopped.is_set():
                        return
                    captured_ns = time.monotonic_ns()
                    elapsed = time.monotonic() - started
                    at = elapsed if picture.time_s is None else picture.time_s
                    step_s = at + offset_s - last_s
                    # A sender that starts again counts from another time: the source's own goes on. Where there is no
                    # connection that could break (UDP), the leap is all that tells.
                    if first or not 0 <= step_s <= elapsed - last_elapsed + LEAP_S:
                        offset_s, first = (max(elapsed, last_s) - at if number else -at), False
                    last_s, last_elapsed = max(last_s, at + offset_s), elapsed  # the sum may round downwards
                    self.status, attempt = "", 0
                    self.stated = picture.stated or self.stated
                    yield Captured(
                        number,
                        picture.image,
                        captured_ns,
                        last_s,
                        picture.pixel_format,
                        picture.colour_space,
                        decode_ms=picture.decode_ms,
                        stated=picture.stated,
                    )
                    number += 1
                raise SourceError(f"{self.uri} ended")
            except SourceError as error:
                attempt += 1
                self.status = f"reconnecting, attempt {attempt}: {error}"
                log.warning("%s", self.status)
            finally:
                self._close()
            self._stopped.wait(self._backoff.wait_s(attempt, random.random()))

    def _close(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            self._damaged_before += feed.damaged
            feed.close()

    def stop(self) -> None:
        """End the iteration at the next frame, time-out or wait."""
        self._stopped.set()

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A feed in use is closed by the thread that iterates: closing it here would pull it from under a read.
        self.stop()
