"""Video files, decoded by FFmpeg through PyAV."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import av
from av.container import InputContainer

from edge.errors import SourceError
from edge.sources.base import Captured
from edge.sources.convert import Converter, colour_space
from edge.sources.decoded import Decoder
from edge.sources.shown import stretch_of
from edge.sources.sidecar import read_sidecar
from edge.stated import Stated

log = logging.getLogger(__name__)

SUFFIXES = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts"}
DEFAULT_FPS = 30.0
MAX_FPS = 1000.0
TEXT = "tty"
"""FFmpeg's format of a text file, which it draws letter by letter."""


class VideoSource:
    """The first video stream of a file, upright and with square pixels. Frames that do not decode are counted in
    `damaged`; none at all is an error.

    Times are the file's own, from its first frame on. A recording brings its sidecar: frames have the numbers, times
    and decisions of that run, and `is_recording` is set.
    """

    def __init__(self, path: Path) -> None:
        self.uri = str(path)
        self.stated = Stated()
        self.region: tuple[int, int, int, int] | None = None
        self._container, self.fps, self.frames = opened_video(str(path), str(path))
        self._decoder: Decoder | None = None
        self._sidecar = read_sidecar(path)
        self.is_recording = self._sidecar is not None
        if self._sidecar is not None:
            self.fps, self.frames = self._sidecar.fps, len(self._sidecar.frames)
            self.stated = Stated(self._sidecar.spacing_mm, self._sidecar.stated_by)
            self.region = self._sidecar.region

    @property
    def damaged(self) -> int:
        return self._decoder.damaged if self._decoder is not None else 0

    def __iter__(self) -> Iterator[Captured]:
        if self._decoder is not None:  # asked a second time: from the beginning
            self._container.seek(0)
        self._decoder = Decoder(self._container, self.uri, looks_for_combs=not self.is_recording)
        rows = self._sidecar.frames if self._sidecar is not None else None
        setting = None
        for frame in decoded_frames(self._decoder, self.frames, self.fps):
            if rows is None:
                yield frame
                continue
            if frame.number >= len(rows):  # the run broke off between a frame and its line
                return
            row = rows[frame.number]
            decided = row.decided(setting)
            setting = decided.setting
            yield replace(
                frame,
                number=row.number,
                captured_ns=row.captured_ns,
                time_s=row.time_s,
                decided=decided,
                stated=Stated(row.spacing_mm, row.stated_by) if row.spacing_mm else None,
            )

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()


def opened_video(file: str | BinaryIO, shown: str) -> tuple[InputContainer, float, int | None]:
    """(container, frames a second, frames that it declares or None) of a video. Raises SourceError."""
    try:
        container = av.open(file)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{shown} is no video that FFmpeg can read ({reason})") from error
    if not container.streams.video or container.format.name == TEXT:
        container.close()
        raise SourceError(f"{shown} holds no video stream")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_FPS)
    return container, rate if 0 < rate <= MAX_FPS else DEFAULT_FPS, stream.frames or None


def decoded_frames(decoder: Decoder, declared: int | None, fps: float) -> Iterator[Captured]:
    """The frames of a decoder with their times from the first one on. Raises SourceError where there is none."""
    converter = Converter(stretch_of(decoder.stream.sample_aspect_ratio))
    number, first_s, last_s = 0, 0.0, -1 / fps
    try:
        for frame in decoder.frames(declared):
            captured_ns = time.monotonic_ns()
            at_s = float(frame.time) - first_s if frame.time is not None else last_s + 1 / fps
            if number == 0:
                first_s, at_s = (at_s, 0.0) if frame.time is not None else (0.0, 0.0)
            if at_s <= last_s:  # a time that does not go on is none
                at_s = last_s + 1 / fps
            last_s = at_s
            yield Captured(number, converter.image(frame), captured_ns, at_s, frame.format.name, colour_space(frame))
            number += 1
    except av.FFmpegError as error:
        raise SourceError(f"{decoder.shown} does not decode: {error.strerror}") from error
    if number == 0:
        reason = f" that decode ({decoder.reason})" if decoder.reason else ""
        raise SourceError(f"{decoder.shown} holds no frames{reason}")
