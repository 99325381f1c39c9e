"""Network streams through FFmpeg, with little buffering: RTSP, MPEG-TS over UDP and SRT, HTTP (MJPEG and others)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import av

from edge.errors import SourceError
from edge.sources import srt
from edge.sources.address import parse_address, redacted
from edge.sources.convert import Converter, colour_space
from edge.sources.decoded import Deinterlacer
from edge.sources.live import LiveSource, Picture
from edge.sources.picture_size import check_size
from edge.sources.shown import stretch_of

OPTIONS = ("wait", "timeout", "transport", "format", "parse")
TIMEOUT_S = 2.0
"""A stream that delivers nothing for this long counts as broken and is opened again."""
DEFAULT_FPS = 30.0
MAX_FPS = 240.0
LOW_LATENCY = {
    "fflags": "nobuffer",
    "flags": "low_delay",
    "max_delay": "0",
    "probesize": "500000",
    "analyzeduration": "500000",
}
WHOLE_PICTURES = {"fflags": "nobuffer+noparse"}
"""For MPEG-TS: each packet holds one picture, as nearly every sender has it, so FFmpeg's parser need not wait for the
next one to know where it ends. `?parse` brings the parser back for a sender that cuts pictures up; it costs one frame
of delay."""


class AvFeed:
    """One connection of FFmpeg: decoded on slices, not on whole frames, so that no frame waits for the next.

    `url` is what FFmpeg opens, or a connection of our own that it reads like a file; `shown` is the address fit for
    messages. Raises SourceError where it cannot be opened.
    """

    damaged = 0

    def __init__(
        self,
        url: str | srt.SrtStream,
        shown: str,
        options: dict[str, str],
        format: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._shown, self._own = shown, None if isinstance(url, str) else url
        try:
            # Opening analyses some frames, so that it may take longer than a read.
            self._container = av.open(url, format=format, options=options, timeout=(timeout_s + 5, timeout_s))
        except (av.FFmpegError, OSError, ValueError, SourceError) as error:
            if self._own is not None:
                self._own.close()
            if isinstance(error, SourceError):  # of a connection of our own
                raise
            # Not `from error`: FFmpeg's own message holds the address with its password, and a traceback would show it.
            raise SourceError(
                f"{shown} does not open: {_reason(error)}; is the sender running and reachable?"
            ) from None
        if not self._container.streams.video:
            self.close()
            raise SourceError(f"{shown} carries no video")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "SLICE"
        rate = float(self._stream.average_rate or self._stream.guessed_rate or DEFAULT_FPS)
        self.fps = rate if 0 < rate <= MAX_FPS else DEFAULT_FPS
        try:
            check_size(self._stream.width, self._stream.height, shown)
        except SourceError:
            self.close()
            raise
        self._mender: Deinterlacer | None = None
        self._converter = Converter(stretch_of(self._stream.sample_aspect_ratio))

    def __iter__(self) -> Iterator[Picture]:
        try:
            for packet in self._container.demux(self._stream):
                started = time.perf_counter()
                try:
                    frames = packet.decode()
                except av.InvalidDataError:  # a damaged packet; the next key frame mends the picture
                    self.damaged += 1
                    continue
                for frame in self._whole(frames):
                    at = None if frame.time is None else float(frame.time)
                    image = self._converter.image(frame)
                    decode_ms = (time.perf_counter() - started) * 1e3
                    yield Picture(image, at, frame.format.name, colour_space(frame), decode_ms)
        except (av.FFmpegError, OSError) as error:
            raise SourceError(f"{self._shown} broke off: {_reason(error)}") from error

    def _whole(self, frames: list[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        """Frames without those that are damaged; the fields of interlaced ones woven together, a frame later."""
        for frame in frames:
            if frame.is_corrupt:
                self.damaged += 1
                continue
            if self._mender is None and frame.interlaced_frame:
                self._mender = Deinterlacer(self._stream)
            yield from self._mender.mended(frame) if self._mender is not None else (frame,)

    def close(self) -> None:
        self._container.close()
        if self._own is not None:
            self._own.close()


def open_stream(uri: str) -> LiveSource:
    """`rtsp://`, `rtsps://`, `udp://`, `http://` or `https://`.

    Options: `transport=tcp|udp` (RTSP, default tcp), `timeout=S`, `format=mpjpeg` where FFmpeg does not recognise it,
    `parse` (see WHOLE_PICTURES), `wait` to keep trying from the start. Others go to the server with the address.
    Raises SourceError where the first opening fails.
    """
    address = parse_address(uri, OPTIONS, strict=False)
    shown, timeout_s = redacted(address.url), address.number("timeout", TIMEOUT_S)
    transport = address.options.get("transport", "tcp")
    if transport not in ("tcp", "udp"):
        raise SourceError(f"transport={transport} is unknown; RTSP runs over tcp or udp")
    micro = str(int(timeout_s * 1e6))
    extra: dict[str, dict[str, str]] = {
        "rtsp": {"rtsp_transport": transport, "timeout": micro, "reorder_queue_size": "0"},
        "udp": {"timeout": micro, "overrun_nonfatal": "1", "fifo_size": "50000"},
        "http": {"rw_timeout": micro},
    }
    whole = WHOLE_PICTURES if address.scheme == "udp" and not address.flag("parse") else {}
    options = {**LOW_LATENCY, **whole, **extra[address.scheme.removesuffix("s")]}
    chosen = address.options.get("format")
    return LiveSource(shown, lambda: AvFeed(address.url, shown, options, chosen, timeout_s), address.flag("wait"))


def open_srt(uri: str) -> LiveSource:
    """`srt://HOST:PORT` connects to a sender that listens, `srt://:PORT?mode=listener` waits for one that calls:
    MPEG-TS.

    Options: `latency=MS` (default 20; the larger one of both ends counts), `passphrase`, `streamid`, and `timeout`,
    `format`, `parse` and `wait` as for `open_stream`. Raises SourceError where libsrt is missing or the first opening
    fails.
    """
    address = parse_address(uri, ("wait", "timeout", "format", "parse", *srt.OPTIONS))
    shown, timeout_s = redacted(uri), address.number("timeout", TIMEOUT_S)
    options = LOW_LATENCY if address.flag("parse") else {**LOW_LATENCY, **WHOLE_PICTURES}
    chosen = address.options.get("format", "mpegts")

    def connect() -> AvFeed:
        return AvFeed(srt.SrtStream(address, shown, timeout_s), shown, options, chosen, timeout_s)

    return LiveSource(shown, connect, address.flag("wait"))


def _reason(error: Exception) -> str:
    """What went wrong in words, without the address that FFmpeg puts into its messages."""
    return getattr(error, "strerror", None) or type(error).__name__
