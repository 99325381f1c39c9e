"""The overlay as an H.264 video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2

from edge.errors import EchoEdgeError
from edge.sinks.base import FileSink, Shown

ENCODERS = (("libx264", {"preset": "ultrafast", "crf": "21"}), ("mpeg4", {"q": "4"}))
"""libx264 comes with PyAV's wheels; a build of FFmpeg without it has MPEG-4 part 2."""

TIME_BASE = Fraction(1, 60_000)
"""Exact for 24, 25, 29.97, 30, 50 and 60 frames a second, and within the 16 bits of MPEG-4 part 2."""


def add_video_stream(
    container: av.container.OutputContainer, rate: Fraction, width: int, height: int
) -> av.VideoStream:
    """A YUV 4:2:0 stream of the first encoder of ENCODERS that this FFmpeg has; sides must be even. EchoEdgeError if none."""
    for name, options in ENCODERS:
        if name in av.codecs_available:
            stream = container.add_stream(name, rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.time_base = 1 / rate
            return stream
    raise EchoEdgeError("this build of FFmpeg encodes neither H.264 nor MPEG-4; reinstall the 'av' package")


class VideoSink(FileSink):
    """Writes each picture once, at its own time: what was dropped of a live signal leaves a gap, not a faster video."""

    name = "video"

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path)
        self._rate = Fraction(fps).limit_denominator(1001)
        self._container = av.open(str(self._file.part), "w", format="mp4")
        self._stream: av.VideoStream | None = None
        self._first_s, self._last = 0.0, -1

    def write(self, shown: Shown) -> None:
        if self._stream is None:
            height, width = shown.picture.shape[:2]
            self._stream = add_video_stream(self._container, self._rate, width, height)
            self._stream.time_base = self._stream.codec_context.time_base = TIME_BASE
            self._first_s = shown.at_s
        planes = cv2.cvtColor(shown.picture, cv2.COLOR_RGB2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        # A source that begins again or a banner between two frames must not run backwards.
        self._last = max(self._last + 1, round((shown.at_s - self._first_s) / TIME_BASE))
        frame.pts, frame.time_base = self._last, TIME_BASE
        self._container.mux(self._stream.encode(frame))
        self._written += 1

    def _finish(self) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
