"""The overlay as an H.264 video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from edge.sinks.base import FileSink, Shown
from edge.sinks.encoder import Encoder, Target
from edge.sinks.encoder_choice import AUTO, FILE_OPTIONS, SOFTWARE, open_encoder
from edge.sinks.files import GrowingFile
from edge.sinks.fragments import container_options, drop_half_fragment

TIME_BASE = Fraction(1, 60_000)
"""Exact for 24, 25, 29.97, 30, 50 and 60 frames a second, and within the 16 bits of MPEG-4 part 2."""


def add_video_stream(
    container: av.container.OutputContainer, rate: Fraction, width: int, height: int
) -> av.VideoStream:
    """A stream encoded in software, alike on every machine, for clips that are measured on. Sides must be even."""
    name = next(name for name in SOFTWARE if name in av.codecs_available)
    stream = container.add_stream(name, rate=rate, options=FILE_OPTIONS[name])
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = 1 / rate
    return stream


class VideoSink(FileSink):
    """Writes each picture once, at its own time: what was dropped of a live signal leaves a gap, not a faster video.

    What is written can be played at any moment, also where the run breaks off.
    """

    name = "video"

    def __init__(self, path: Path, fps: float, encoder: str = AUTO) -> None:
        super().__init__(GrowingFile(path))
        self._rate, self._wanted = Fraction(fps).limit_denominator(1001), encoder
        self._container = av.open(str(self._file.part), "w", format="mp4", options=container_options())
        self._encoder: Encoder | None = None
        self._first_s, self._last = 0.0, -1

    def write(self, shown: Shown) -> None:
        if self._encoder is None:
            height, width = shown.picture.shape[:2]
            self._encoder = open_encoder(self._container, Target(width, height, self._rate, TIME_BASE), self._wanted)
            self._first_s = shown.at_s
        planes = np.asarray(cv2.cvtColor(shown.picture, cv2.COLOR_RGB2YUV_I420), np.uint8)
        # A source that begins again or a banner between two frames must not run backwards.
        self._last = max(self._last + 1, round((shown.at_s - self._first_s) / TIME_BASE))
        self._container.mux(self._encoder.encode(planes, self._last))
        self._written += 1

    def _finish(self) -> None:
        try:
            try:
                if self._encoder is not None:
                    self._container.mux(self._encoder.finish())
            finally:
                self._container.close()
        except OSError:
            drop_half_fragment(self._file.part)
            raise
