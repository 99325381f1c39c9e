"""What is measured on: the default clip, a clip at any rate, a clip for any time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from edge.sinks.video import add_video_stream
from edge.sources import Captured, Source, open_source
from edge.sources.paced import Wrapped

DEFAULT_CLIP = "synth://a4c?seed=7&fps=50&layout=screen1&frames=60"
DEFAULT_NAME = "bench-screen1-1280x720-1.mp4"


def default_clip() -> Path:
    """A synthetic four-chamber loop on a 1280x720 scanner screen, H.264, 60 frames; made once and kept in the user's
    cache.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "echoedge"
    path = cache / DEFAULT_NAME
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        with open_source(DEFAULT_CLIP) as source:
            write_clip(source, part)
        os.replace(part, path)
    return path


def write_clip(source: Source, path: Path) -> None:
    """All frames of an RGB source as an H.264 MP4 at its frame rate."""
    rate = Fraction(source.fps).limit_denominator(1001)
    with av.open(str(path), "w", format="mp4") as container:
        stream = None
        for captured in source:
            if stream is None:
                height, width = captured.image.shape[:2]
                stream = add_video_stream(container, rate, width, height)
            frame = av.VideoFrame.from_ndarray(captured.image, format="rgb24")
            frame.pts, frame.time_base = captured.number, 1 / rate
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))


class Timed(Wrapped):
    """A recording that ends after some seconds."""

    def __init__(self, source: Source, seconds: float) -> None:
        super().__init__(source)
        self._seconds, self.frames = seconds, None

    def __iter__(self) -> Iterator[Captured]:
        end = None
        for frame in self._source:
            end = end or time.monotonic() + self._seconds
            if time.monotonic() > end:
                return
            yield frame


class AtRate(Timed):
    """A recording whose frames are due at another rate than its own; `Paced` then delivers them."""

    def __init__(self, source: Source, seconds: float, fps: float) -> None:
        super().__init__(source, seconds)
        self.fps = fps

    def __iter__(self) -> Iterator[Captured]:
        for number, frame in enumerate(super().__iter__()):
            yield replace(frame, number=number, time_s=number / self.fps)
