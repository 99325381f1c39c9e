"""The picture as a network stream: H.264 in MPEG-TS over UDP, or pushed to an RTSP server."""

from __future__ import annotations

import logging
import time
from fractions import Fraction
from types import TracebackType

import av
import cv2
import numpy as np

from edge.sinks.base import Shown
from edge.sinks.encoder import Encoder, Target
from edge.sinks.encoder_choice import AUTO, choose_encoder, open_encoder
from edge.sources.address import parse_address, redacted
from edge.sources.live import Backoff

log = logging.getLogger(__name__)

TIME_BASE = Fraction(1, 90_000)
FORMATS = {"udp": "mpegts", "rtsp": "rtsp"}


class StreamSink:
    """`udp://host:port` or `rtsp://host:port/path`; a receiver that goes away is tried again with back-off."""

    name = "stream"

    def __init__(self, uri: str, fps: float, encoder: str = AUTO) -> None:
        address = parse_address(uri, ("bitrate",), strict=False)
        self._url, self._format, self._shown = address.url, FORMATS[address.scheme], redacted(address.url)
        if self._format == "mpegts" and "pkt_size" not in self._url:  # whole TS packets that fit an Ethernet frame
            self._url += ("&" if "?" in self._url else "?") + "pkt_size=1316"
        self._bitrate, self._wanted = address.whole("bitrate", 4_000_000), encoder
        self._rate = Fraction(max(1, round(fps)))
        self._container: av.container.OutputContainer | None = None
        self._encoder: Encoder | None = None
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
            assert self._encoder is not None
            planes = np.asarray(cv2.cvtColor(shown.picture, cv2.COLOR_RGB2YUV_I420), np.uint8)
            self._container.mux(self._encoder.encode(planes, round((now - self._started) / TIME_BASE)))
            self._failures = 0
        except (av.FFmpegError, OSError) as error:
            self._close()
            self._failures += 1
            wait_s = self._backoff.wait_s(self._failures, 0)
            self._retry_at = now + wait_s
            log.warning("%s does not take the stream (%s); next try in %.2g s", self._shown, error.strerror, wait_s)

    def _open(self, width: int, height: int) -> None:
        # A receiver that is told how long a picture is shows it at once; else it waits for the next one to begin.
        options = {"rtsp_transport": "tcp"} if self._format == "rtsp" else {"omit_video_pes_length": "0"}
        target = Target(width, height, self._rate, TIME_BASE, live=True, bitrate=self._bitrate)
        choose_encoder(self._wanted, target)  # before a receiver is bothered
        self._container = av.open(self._url, "w", format=self._format, options=options, timeout=5)
        self._encoder = open_encoder(self._container, target, self._wanted)

    def _close(self) -> None:
        container, encoder = self._container, self._encoder
        self._container = self._encoder = None
        try:
            if encoder is not None:
                encoder.finish()  # what is left is a moment that nobody waits for
            if container is not None:
                container.close()
        except (av.FFmpegError, OSError) as error:
            log.debug("%s: %s", self._shown, error)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
