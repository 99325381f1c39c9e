"""Video files, decoded by FFmpeg through PyAV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import av

from edge.errors import SourceError
from edge.sources.base import Captured
from edge.sources.convert import Converter, colour_space
from edge.sources.sidecar import read_sidecar

SUFFIXES = {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts"}
DEFAULT_FPS = 30.0


class VideoSource:
    """The first video stream of a file. Frames that do not decode are skipped by FFmpeg; none at all is an error.

    A recording brings its sidecar: frames have the numbers, times and decisions of that run, and `is_recording` is set.
    """

    def __init__(self, path: Path) -> None:
        self.uri = str(path)
        self.spacing_mm: tuple[float, float] | None = None
        self.region: tuple[int, int, int, int] | None = None
        try:
            self._container = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"{path} is no video that FFmpeg can read ({error.strerror})") from error
        if not self._container.streams.video:
            self._container.close()
            raise SourceError(f"{path} holds no video stream")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.fps = float(self._stream.average_rate or DEFAULT_FPS)
        self.frames: int | None = self._stream.frames or None  # 0: the container does not say
        self._converter, self._read = Converter(), False
        self._sidecar = read_sidecar(path)
        self.is_recording = self._sidecar is not None
        if self._sidecar is not None:
            self.fps, self.frames = self._sidecar.fps, len(self._sidecar.frames)
            self.spacing_mm, self.region = self._sidecar.spacing_mm, self._sidecar.region

    def __iter__(self) -> Iterator[Captured]:
        number, setting = 0, None
        if self._read:  # asked a second time: from the beginning
            self._container.seek(0)
        self._read = True
        try:
            for frame in self._container.decode(self._stream):
                captured_ns = time.monotonic_ns()
                at = frame.time if frame.time is not None else number / self.fps
                image, name, space = self._converter.image(frame), frame.format.name, colour_space(frame)
                if self._sidecar is None:
                    yield Captured(number, image, captured_ns, float(at), name, space)
                else:
                    if number == len(self._sidecar.frames):  # the run broke off between a frame and its line
                        return
                    row = self._sidecar.frames[number]
                    decided = row.decided(setting)
                    setting = decided.setting
                    yield Captured(row.number, image, row.captured_ns, row.time_s, name, space, decided)
                number += 1
        except av.FFmpegError as error:
            if number == 0:
                raise SourceError(f"{self.uri} does not decode: {error.strerror}") from error
        if number == 0:
            raise SourceError(f"{self.uri} holds no frames")

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()
