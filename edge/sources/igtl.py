"""OpenIGTLink client: images that PLUS, 3D Slicer or a scanner's research interface serve."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator

from edge.errors import SourceError
from edge.igtl.message import DEFAULT_PORT, read_image, receive
from edge.sources.address import parse_address, shown_host
from edge.sources.live import LiveSource, Picture
from edge.stated import Stated

OPTIONS = ("wait", "timeout", "device", "fps")
BY = "OpenIGTLink"


class IgtlFeed:
    """The IMAGE messages of one connection; `device` takes only those of that name. Other messages are passed over."""

    damaged = 0

    def __init__(self, host: str, port: int, device: str, fps: float, timeout_s: float) -> None:
        self._shown, self._device, self.fps = f"igtl://{shown_host(host, port)}", device, fps
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise SourceError(f"{self._shown} does not answer: {error}; is the server running?") from error
        self._socket.settimeout(timeout_s)
        self._first = self._next()  # somebody does send pictures

    def __iter__(self) -> Iterator[Picture]:
        picture = self._first
        while picture is not None:
            yield picture
            picture = self._next()

    def _next(self) -> Picture | None:
        while True:
            try:
                message = receive(self._socket)
            except OSError as error:
                raise SourceError(f"{self._shown} broke off: {error}") from error
            if message is None:
                return None
            if message.type == "IMAGE" and self._device in ("", message.device):
                pixels, spacing_mm = read_image(message.body)
                name = "gray" if pixels.ndim == 2 else "rgb24"
                return Picture(pixels, message.time_s or None, name, "rgb", stated=stated_by_matrix(spacing_mm))

    def close(self) -> None:
        self._socket.close()


def stated_by_matrix(spacing_mm: tuple[float, float]) -> Stated:
    """What the lengths of a matrix's row and column say: those of directions alone, 1 and 1, are no scale."""
    if not all(map(math.isfinite, spacing_mm)):
        return Stated(None, BY, "the image's matrix holds no numbers")
    if spacing_mm == (1.0, 1.0):
        return Stated(
            None, BY, "the image's matrix holds directions of length 1, which senders use for an unknown scale"
        )
    return Stated(spacing_mm, BY)


def open_igtl(uri: str) -> LiveSource:
    """`igtl://host:18944?device=NAME&fps=30`: fps is what the sender is said to send, for the pace of recordings.

    Raises SourceError where nobody answers or no image comes within `timeout` seconds (default 5).
    """
    address = parse_address(uri, OPTIONS)
    host, port = address.host_port(DEFAULT_PORT)
    fps, timeout_s = address.number("fps", 30), address.number("timeout", 5)
    device = address.options.get("device", "")
    return LiveSource(
        f"igtl://{shown_host(host, port)}", lambda: IgtlFeed(host, port, device, fps, timeout_s), address.flag("wait")
    )
