"""Recordings of live runs: every frame that was analysed, lossless, with its times and decisions, to be replayed
exactly.

The video is FFV1 in Matroska, which any player shows; NAME.json beside it holds what a video cannot.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import msgspec
import numpy as np

from edge.sources import Captured
from edge.sources.sidecar import FrameRow, Sidecar, sidecar_path

log = logging.getLogger(__name__)


class Recorder:
    """Writes frames on its own thread's time: call `write` there. The file is whole once the context is left.

    A change of the picture's size cannot be held by one file: the recording ends there and the sidecar says so.
    """

    def __init__(self, path: Path, uri: str, fps: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._uri, self._fps = path, uri, fps
        self._container = av.open(str(path), "w", format="matroska")
        self._stream: av.VideoStream | None = None
        self._shape: tuple[int, ...] = ()
        self._rows: list[FrameRow] = []
        self._note = ""
        self.spacing_mm: tuple[float, float] | None = None
        self.region: tuple[int, int, int, int] | None = None

    def __enter__(self) -> Recorder:
        return self

    def write(self, frame: Captured, quality: bool) -> None:
        """Append one frame with the decision whether the quality net saw it."""
        if self._note:
            return
        image = frame.image
        if self._stream is None:
            self._shape = image.shape
            self._stream = self._container.add_stream("ffv1", rate=Fraction(self._fps).limit_denominator(1001))
            self._stream.height, self._stream.width = image.shape[:2]
            self._stream.pix_fmt = "gray" if image.ndim == 2 else "bgr0"
            self._stream.codec_context.time_base = Fraction(1, 1000)
        if image.shape != self._shape:
            self._note = f"the picture's size changed at frame {frame.number}; the recording ends before it"
            log.warning("%s: %s", self._path, self._note)
            return
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray" if image.ndim == 2 else "rgb24")
        picture = picture.reformat(format=self._stream.pix_fmt)
        picture.pts, picture.time_base = len(self._rows), 1 / Fraction(self._fps).limit_denominator(1001)
        self._container.mux(self._stream.encode(picture))
        own_mm = frame.stated.spacing_mm if frame.stated is not None else None
        self._rows.append(FrameRow(frame.number, frame.captured_ns, frame.time_s, quality, own_mm))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        sidecar = Sidecar(self._uri, self._fps, self.spacing_mm, self.region, tuple(self._rows), self._note)
        sidecar_path(self._path).write_bytes(msgspec.json.encode(sidecar))
