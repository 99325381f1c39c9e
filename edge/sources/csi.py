"""CSI cameras and HDMI-to-CSI bridges on Jetson, through a GStreamer pipeline in a process of its own.

A process and not OpenCV's GStreamer: the wheels of OpenCV are built without it on every platform, while
`gst-launch-1.0` comes with JetPack and with every distribution.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from select import select

from edge.errors import SourceError
from edge.sources.address import parse_address
from edge.sources.live import LiveSource, Picture
from edge.threads.pool import FramePool

OPTIONS = ("width", "height", "fps", "wait", "timeout")
PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Geometry:
    """What the pipeline is asked for: pixels and frames a second."""

    width: int
    height: int
    fps: int


def camera_pipeline(sensor: int, geometry: Geometry) -> list[str]:
    """gst-launch elements from a Jetson camera to RGB frames of the wanted size, newest first."""
    caps = f"width={geometry.width},height={geometry.height}"
    return [
        "nvarguscamerasrc",
        f"sensor-id={sensor}",
        "!",
        f"video/x-raw(memory:NVMM),{caps},framerate={geometry.fps}/1,format=NV12",
        "!",
        "nvvidconv",
        "!",
        f"video/x-raw,{caps},format=BGRx",
        "!",
        "queue",
        "max-size-buffers=1",
        "leaky=downstream",
        "!",
        "videoconvert",
        "!",
        "video/x-raw,format=RGB",
    ]


class PipelineFeed:
    """RGB frames of a GStreamer pipeline, read from its pipe. Raises SourceError where it does not run."""

    damaged = 0

    def __init__(self, shown: str, elements: list[str], geometry: Geometry, timeout_s: float) -> None:
        launcher = shutil.which("gst-launch-1.0")
        if launcher is None:
            raise SourceError(f"{shown} needs GStreamer: apt-get install gstreamer1.0-tools gstreamer1.0-plugins-good")
        self.fps = float(geometry.fps)
        self._shown, self._timeout_s = shown, timeout_s
        self._shape = (geometry.height, geometry.width, 3)
        self._pool = FramePool()
        # A row of RGB is padded to four bytes; a caps filter cannot forbid it, so the width must not need padding.
        if geometry.width % 4:
            raise SourceError(f"{shown}: width={geometry.width} must be a multiple of 4")
        self._process = subprocess.Popen(
            [launcher, "-q", *elements, "!", "fdsink", "fd=1", "sync=false"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )

    def __iter__(self) -> Iterator[Picture]:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while True:
            image = self._pool.take(self._shape)
            view = image.reshape(-1).data
            filled = 0
            while filled < len(view):
                if not select([pipe], [], [], self._timeout_s)[0]:
                    raise SourceError(f"{self._shown} delivered nothing for {self._timeout_s:g} s")
                count = os.readv(pipe, [view[filled : filled + PIPE_BYTES]])
                if count == 0:
                    raise SourceError(f"{self._shown} ended: {self._complaint()}")
                filled += count
            del view
            yield Picture(image, None, "rgb24", "rgb")

    def _complaint(self) -> str:
        """The first error line of gst-launch; a missing element names the package that has it."""
        assert self._process.stderr is not None
        self._process.wait(timeout=5)
        lines = self._process.stderr.read().decode(errors="replace").splitlines()
        line = next((text for text in lines if "rror" in text or "no element" in text), "no reason given")
        remedy = "; this element comes with JetPack (nvidia-l4t-gstreamer)" if 'no element "nv' in line else ""
        return f"{line.strip()}{remedy}"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def open_csi(uri: str, pipeline: Callable[[int, Geometry], list[str]] = camera_pipeline) -> LiveSource:
    """`csi://0?width=1280&height=720&fps=60`. Raises SourceError with the remedy where GStreamer is missing."""
    address = parse_address(uri, OPTIONS)
    if not address.place.isdigit():
        raise SourceError(f"{uri} names no camera; write csi://0 for the first")
    geometry = Geometry(address.whole("width", 1280), address.whole("height", 720), address.whole("fps", 30))
    elements, timeout_s = pipeline(int(address.place), geometry), address.number("timeout", 5.0)
    shown = f"csi://{address.place}"
    return LiveSource(shown, lambda: PipelineFeed(shown, elements, geometry, timeout_s), address.flag("wait"))
