"""Pictures to packets of H.264: what is wanted, and FFmpeg's encoders."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

HARDWARE_FILE_BITRATE = 8_000_000
"""Hardware encoders have no constant quality that is the same for all."""
BY_QUALITY = ("libx264", "mpeg4")
"""Those whose options name a quality, so that a file has no bit rate."""


@dataclass(frozen=True)
class Target:
    """What is to be encoded. `live`: every picture shall leave at once, at `bitrate`; else quality counts."""

    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    live: bool = False
    bitrate: int = HARDWARE_FILE_BITRATE


class Encoder(Protocol):
    """Pictures to packets of the container's stream."""

    def encode(self, planes: NDArray[np.uint8], pts: int) -> list[av.Packet]:
        """The packets that are ready after one picture: I420 (height * 3 / 2 x width), at `pts` time bases."""

    def finish(self) -> list[av.Packet]:
        """The packets that are left; nothing can be encoded afterwards."""


class LibraryEncoder:
    """One of FFmpeg's encoders."""

    def __init__(
        self, container: av.container.OutputContainer, name: str, options: dict[str, str], target: Target
    ) -> None:
        self._stream = container.add_stream(name, rate=target.rate, options=options)
        self._time_base = target.time_base
        self._stream.width, self._stream.height, self._stream.pix_fmt = target.width, target.height, "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = target.time_base
        if target.live:
            self._stream.codec_context.max_b_frames = 0
            self._stream.gop_size = max(1, round(target.rate))
        if target.live or name not in BY_QUALITY:
            self._stream.bit_rate = target.bitrate
        self._stream.codec_context.open()

    def encode(self, planes: NDArray[np.uint8], pts: int) -> list[av.Packet]:
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = pts, self._time_base
        return list(self._stream.encode(frame))

    def finish(self) -> list[av.Packet]:
        return list(self._stream.encode(None))
