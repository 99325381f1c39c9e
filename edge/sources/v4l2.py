"""Frame grabbers and USB cameras through Video4Linux2: what the device offers is asked, then one mode is opened."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import SourceError
from edge.sources.address import Address, parse_address
from edge.sources.live import LiveSource
from edge.sources.stream import AvFeed

OPTIONS = ("width", "height", "fps", "format", "wait", "timeout")
FORMATS = {
    "YUYV": "yuyv422",
    "UYVY": "uyvy422",
    "NV12": "nv12",
    "YU12": "yuv420p",
    "GREY": "gray",
    "RGB3": "rgb24",
    "BGR3": "bgr24",
    "MJPG": "mjpeg",
    "H264": "h264",
}
"""V4L2's four characters -> FFmpeg's name, the uncompressed ones first: they are preferred where a mode has both."""
ALIASES = {"MJPEG": "MJPG", "YUY2": "YUYV", "YUYV422": "YUYV", "GRAY": "GREY"}
LIVELY_FPS = 25

# <linux/videodev2.h>: _IOWR('V', nr, size of the structure)
ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS = 0xC0405602, 0xC02C564A, 0xC034564B
FMTDESC, FRMSIZE, FRMIVAL = "<3I32sI4I", "<3I6I2I", "<5I6I2I"
VIDEO_CAPTURE, DISCRETE = 1, 1
MAX_ENTRIES = 128

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True)
class Mode:
    """One thing a device can deliver. With `or_less` every size up to this one is possible, too."""

    format: str
    width: int
    height: int
    fps: float
    or_less: bool = False

    def __str__(self) -> str:
        return f"{self.format} {'up to ' if self.or_less else ''}{self.width}x{self.height} at {self.fps:g} fps"


def modes_of(fd: int, ioctl: Ioctl) -> list[Mode]:
    """Every mode of an open device: formats x sizes x rates, as the driver lists them."""
    modes = []
    for description in _entries(fd, ioctl, ENUM_FMT, FMTDESC, lambda i: (i, VIDEO_CAPTURE, 0, b"", 0, 0, 0, 0, 0)):
        code = description[4]
        name = struct.pack("<I", code).decode("ascii", "replace").strip()
        for size in _entries(fd, ioctl, ENUM_FRAMESIZES, FRMSIZE, lambda i, c=code: (i, c, *[0] * 9)):  # type: ignore[misc]
            discrete = size[2] == DISCRETE
            width, height = (size[3], size[4]) if discrete else (size[4], size[7])
            rates = [
                entry[6] / max(1, entry[5])
                for entry in _entries(
                    fd,
                    ioctl,
                    ENUM_FRAMEINTERVALS,
                    FRMIVAL,
                    lambda i, c=code, w=width, h=height: (i, c, w, h, *[0] * 9),  # type: ignore[misc]
                )
            ]
            modes += [Mode(name, width, height, rate, not discrete) for rate in rates or [30.0]]
            if not discrete:  # a range is one entry
                break
    return modes


def _entries(
    fd: int, ioctl: Ioctl, request: int, layout: str, question: Callable[[int], tuple[int | bytes, ...]]
) -> Iterator[tuple[int, ...]]:
    """Answers to a question asked with index 0, 1, … until the driver has no more (EINVAL)."""
    for index in range(MAX_ENTRIES):
        buffer = bytearray(struct.pack(layout, *question(index)))
        try:
            ioctl(fd, request, buffer)
        except OSError:
            return
        yield struct.unpack(layout, buffer)


def choose_mode(modes: list[Mode], width: int, height: int, fps: float, format: str) -> Mode | None:
    """The best mode that fits what was asked (0 and "" leave it open), None where none does.

    Left open: the most pixels among modes of at least LIVELY_FPS, then the highest rate, then no compression.
    """
    wanted = ALIASES.get(format.upper(), format.upper())
    order = list(FORMATS)
    fitting = []
    for mode in modes:
        if mode.format not in FORMATS or (wanted and mode.format != wanted):
            continue
        if mode.or_less and width and height and width <= mode.width and height <= mode.height:
            mode = replace(mode, width=width, height=height, or_less=False)
        if (width and mode.width != width) or (height and mode.height != height):
            continue
        if fps and mode.fps < fps - 0.1:  # 59.94 serves 60
            continue
        fitting.append(mode)
    if not fitting:
        return None

    def merit(mode: Mode) -> tuple[float, ...]:
        pixels, plain = mode.width * mode.height, -order.index(mode.format)
        if fps:
            return (-abs(mode.fps - fps), pixels, plain)
        return (mode.fps >= LIVELY_FPS, pixels, mode.fps, plain)

    return max(fitting, key=merit)


def offer_of(modes: list[Mode]) -> str:
    """Modes for a person: each format and size once, with its rates; those that we cannot read are marked."""
    rates: dict[str, list[str]] = {}
    for mode in modes:
        what, _, rate = str(mode).partition(" at ")
        what += "" if mode.format in FORMATS else " (not read here)"
        rates.setdefault(what, []).append(rate.removesuffix(" fps"))
    return "; ".join(f"{what} at {', '.join(values)} fps" for what, values in rates.items())


def open_v4l2(uri: str) -> LiveSource:
    """`v4l2:///dev/video0?width=1280&height=720&fps=60&format=MJPEG`; every option may be left out.

    Raises SourceError where the device is absent, not permitted, no capture device, or offers no such mode: the modes
    that it does offer are listed.
    """
    address = parse_address(uri, OPTIONS)
    path = Path(address.place)
    shown = f"v4l2://{path}"
    return LiveSource(shown, lambda: _feed(path, shown, address), address.flag("wait"))


def _feed(path: Path, shown: str, address: Address) -> AvFeed:
    mode = _negotiate(path, shown, address)
    settings = {
        "input_format": FORMATS[mode.format],
        "video_size": f"{mode.width}x{mode.height}",
        "framerate": f"{mode.fps:g}",
        "fflags": "nobuffer",
    }
    return AvFeed(str(path), shown, settings, "v4l2", address.number("timeout", 2.0))


def _negotiate(path: Path, shown: str, address: Address) -> Mode:
    try:
        import fcntl
    except ImportError as error:
        raise SourceError("v4l2:// needs Linux; give a file or a network stream") from error
    if not path.exists():
        nodes = ", ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
        raise SourceError(f"{path} does not exist; this machine has {nodes}. Is the grabber plugged in?")
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        remedy = "add the user to the group `video`" if isinstance(error, PermissionError) else "is it in use?"
        raise SourceError(f"{path} does not open: {error.strerror}; {remedy}") from error
    try:
        modes = modes_of(fd, fcntl.ioctl)
    finally:
        os.close(fd)
    if not modes:
        raise SourceError(f"{path} is no video capture device; `v4l2-ctl --list-devices` names those that are")
    width, height, fps = address.whole("width", 0), address.whole("height", 0), address.number("fps", 0)
    format = address.options.get("format", "")
    chosen = choose_mode(modes, width, height, fps, format)
    if chosen is None:
        size = f"{width or 'any'}x{height or 'any'}" if width or height else ""
        asked = " ".join(filter(None, (format.upper(), size, f"at {fps:g} fps" if fps else "")))
        raise SourceError(f"{shown} has no mode {asked}; it offers {offer_of(modes)}")
    return chosen
