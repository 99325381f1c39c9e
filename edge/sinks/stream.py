"""The picture as a network stream: H.264 in MPEG-TS over UDP, or pushed to an RTSP server."""

from __future__ import annotations

import logging
import time
from fractions import Fraction
from types import TracebackType

import av
import cv2

from edge.errors import EchoEdgeError
from edge.sinks.base import Shown
from edge.sources.address import parse_address, redacted
from edge.sources.live import Backoff

log = logging.getLogger(__name__)

TIME_BASE = Fraction(1, 90_000)
FORMATS = {"udp": "mpegts", "rtsp": "rtsp"}
ENCODERS = ("h264_nvenc", "h264_v4l2m2m", "libx264")
"""Hardware first; one that does not open on this machine is passed over."""
SETTINGS = {"libx264": {"preset": "ultrafast", "tune": "zerolatency"}, "h264_nvenc": {"preset": "p1", "tune": "ull"}}


class StreamSink:
    """`udp://host:port` or `rtsp://host:port/path`; a receiver that goes away is tried again with back-off."""

    name = "stream"

    def __init__(self, uri: str, fps: float) -> None:
        address = parse_address(uri, ("bitrate",), strict=False)
        self._url, self._format, self._shown = address.url, FORMATS[address.scheme], redacted(address.url)
        if self._format == "mpegts" and "pkt_size" not in self._url:  # whole TS packets that fit an Ethernet frame
            self._url += ("&" if "?" in self._url else "?") + "pkt_size=1316"
        self._bitrate, self._fps = address.whole("bitrate", 4_000_000), fps
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        self._started = self._retry_at = 0.0
        self._failures, self._backoff = 0, Backoff()

    def __enter__(self) -> StreamSink:
        return self

    def write(self, shown: Shown) -> None:
        """Encode and send one picture; pictures are left out while nobody listens."""
        now = time.monotonic()
        if now < self._retry_at:
            return
        try:
            if self._container is None:
                self._open(shown.picture.shape[1], shown.picture.shape[0])
                self._started = now
            assert self._container is not None
            assert self._stream is not None
            planes = cv2.cvtColor(shown.picture, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = round((now - self._started) * 90_000), TIME_BASE
            self._container.mux(self._stream.encode(frame))
            self._failures = 0
        except (av.FFmpegError, OSError) as error:
            self._close()
            self._failures += 1
            wait_s = self._backoff.wait_s(self._failures, 0)
            self._retry_at = now + wait_s
            log.warning("%s does not take the stream (%s); again in %.2g s", self._shown, error.strerror, wait_s)

    def _open(self, width: int, height: int) -> None:
        # A receiver that is told how long a picture is shows it at once; else it waits for the next one to begin.
        options = {"rtsp_transport": "tcp"} if self._format == "rtsp" else {"omit_video_pes_length": "0"}
        for name in ENCODERS:
            if name not in av.codecs_available:
                continue
            container = av.open(self._url, "w", format=self._format, options=options, timeout=5)
            stream = container.add_stream(name, rate=round(self._fps), options=SETTINGS.get(name, {}))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.bit_rate, stream.gop_size = self._bitrate, max(1, round(self._fps))
            stream.codec_context.time_base = TIME_BASE
            stream.codec_context.max_b_frames = 0
            try:
                stream.codec_context.open()
            except (av.FFmpegError, OSError):
                container.close()
                continue
            self._container, self._stream = container, stream
            return
        raise EchoEdgeError("this build of FFmpeg encodes no H.264; reinstall the 'av' package")

    def _close(self) -> None:
        container, self._container, self._stream = self._container, None, None
        if container is not None:
            try:
                container.close()
            except (av.FFmpegError, OSError) as error:
                log.debug("%s: %s", self._shown, error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
