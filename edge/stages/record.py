"""Recordings: the sector of every frame, lossless, with its times and what was decided, to be replayed exactly.

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
from edge.screen.setting import Decided, Setting
from edge.sinks.files import GrowingFile
from edge.sources import Captured, Source
from edge.sources.address import scheme_of
from edge.sources.sidecar import SCHEMA, FrameRow, Note, Sidecar, sidecar_path

SUFFIX = ".mkv"
OPTIONS = {"cluster_time_limit": "1", "flush_packets": "1"}
"""A cluster for each frame: one that is not closed is lost with the process."""


class Recorder:
    """Writes frames of one source; both files are whole after `finish`.

    One file holds pictures of one size: another one raises EchoEdgeError, and the recording ends before it. Raises
    EchoEdgeError where the file cannot be made, is not called .mkv, or is being written by another run.
    """

    def __init__(self, path: Path, source: Source) -> None:
        if path.suffix != SUFFIX:
            raise EchoEdgeError(f"a recording is Matroska; give a name ending in {SUFFIX}, not {path.name}")
        self._video = GrowingFile(path)
        self._lines = GrowingFile(sidecar_path(path), sidecar_path(self._video.part))
        self._rate = Fraction(source.fps).limit_denominator(1001)
        self._container = av.open(str(self._video.part), "w", format="matroska", options=OPTIONS)
        self._stream: av.VideoStream | None = None
        self._sidecar = self._lines.part.open("wb", buffering=0)
        self._head = Sidecar(
            _kind_of(source.uri), source.fps, source.stated.spacing_mm, source.region, SCHEMA, source.stated.by
        )
        self._setting: Setting | None = None
        self._shape: tuple[int, ...] = ()
        self._written = 0

    def write(self, frame: Captured, decided: Decided) -> None:
        """Append one frame, of whose screen nothing but the sector is left, with what was decided about it."""
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
        self._line(self._row(frame, decided))
        self._written += 1

    def _row(self, frame: Captured, decided: Decided) -> FrameRow:
        setting = None if decided.setting is self._setting else decided.setting
        self._setting = decided.setting
        return FrameRow(
            frame.number,
            frame.captured_ns,
            frame.time_s,
            decided.problem,
            decided.quality,
            decided.keeps_scores,
            decided.view,
            decided.patient,
            setting,
            frame.stated.spacing_mm if frame.stated is not None else None,
            frame.stated.by if frame.stated is not None else "",
            decided.turn,
        )

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


def _kind_of(uri: str) -> str:
    """An address as it is; of a file only how its name ends: people name files after patients."""
    return uri if scheme_of(uri) not in ("", "file") else f"file{Path(uri.partition('?')[0]).suffix}"
