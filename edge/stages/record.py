"""Recordings: every frame that was analysed, lossless, with its times and decisions, to be replayed exactly.

The video is FFV1 in Matroska, which any player shows; NAME.json beside it holds what a video cannot. Both can be
replayed at any moment, but for the last frames, also where the run breaks off.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np

from edge.errors import EchoEdgeError
from edge.sinks.files import GrowingFile
from edge.sources import Captured, Source
from edge.sources.sidecar import SCHEMA, FrameRow, Note, Sidecar, sidecar_path

SUFFIX = ".mkv"
OPTIONS = {"cluster_time_limit": "1", "flush_packets": "1"}
"""A cluster for each frame: one that is not closed is lost with the process."""


class Recorder:
    """Writes frames of one source; both files are whole after `finish`.

    One file holds pictures of one size: another one raises EchoEdgeError, and the recording ends before it. Raises
    EchoEdgeError where the file cannot be made, is not called .mkv, or is being written by another run.
    """

    def __init__(self, path: Path, source: Source, live: bool) -> None:
        if path.suffix != SUFFIX:
            raise EchoEdgeError(f"a recording is Matroska; give a name ending in {SUFFIX}, not {path.name}")
        self._video = GrowingFile(path)
        self._lines = GrowingFile(sidecar_path(path), sidecar_path(self._video.part))
        self._rate = Fraction(source.fps).limit_denominator(1001)
        self._container = av.open(str(self._video.part), "w", format="matroska", options=OPTIONS)
        self._stream: av.VideoStream | None = None
        self._sidecar = self._lines.part.open("wb", buffering=0)
        self._head = Sidecar(source.uri, source.fps, source.stated.spacing_mm, source.region, SCHEMA, live)
        self._shape: tuple[int, ...] = ()
        self._written = 0

    def write(self, frame: Captured, quality: bool) -> None:
        """Append one frame with the decision whether the quality net saw it."""
        image = frame.image
        if self._stream is None:
            self._shape = image.shape
            self._stream = self._opened(image.shape)
            self._line(self._head)
        if image.shape != self._shape:
            raise EchoEdgeError(f"the picture's size changed at frame {frame.number}")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray" if image.ndim == 2 else "rgb24")
        picture = picture.reformat(format=self._stream.pix_fmt)
        picture.pts, picture.time_base = self._written, 1 / self._rate
        self._container.mux(self._stream.encode(picture))
        own_mm = frame.stated.spacing_mm if frame.stated is not None else None
        self._line(FrameRow(frame.number, frame.captured_ns, frame.time_s, quality, own_mm))
        self._written += 1

    def _opened(self, shape: tuple[int, ...]) -> av.VideoStream:
        stream = self._container.add_stream("ffv1", rate=self._rate)
        stream.height, stream.width = shape[:2]
        stream.pix_fmt = "gray" if len(shape) == 2 else "bgr0"
        stream.codec_context.time_base = Fraction(1, 1000)
        return stream

    def _line(self, content: Any) -> None:
        self._sidecar.write(msgspec.json.encode(content) + b"\n")

    def finish(self, note: str = "") -> None:
        """Close both files; `note` says why the recording is not complete, "" where it is."""
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
        finally:
            with contextlib.suppress(OSError):  # a full disk has been told of
                self._container.close()
            with contextlib.suppress(OSError):
                if note and self._written:
                    self._line(Note(note))
            self._sidecar.close()
            for file in (self._video, self._lines):
                file.settle(self._written > 0, is_whole=not note)
