"""An encoder that only GStreamer reaches, as on Jetson: pictures go into a process, H.264 comes out.

A process and not GStreamer's bindings, for the reason of edge/sources/csi.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import threading
from collections import deque

import av
import numpy as np
from numpy.typing import NDArray

from edge.errors import EchoEdgeError
from edge.sinks.encoder import Target

READ_BYTES = 1 << 16
FINISH_S = 5.0
KEY_NAL = re.compile(rb"\x00\x00\x01[\x65\x45\x25]")
"""Start code and first byte of an IDR slice (NAL unit type 5)."""


def jetson_elements(target: Target) -> list[str]:
    """gst-launch elements of a Jetson's encoder: I420 in system memory to H.264."""
    return [
        "nvvidconv",
        "!",
        "video/x-raw(memory:NVMM),format=NV12",
        "!",
        "nvv4l2h264enc",
        f"bitrate={target.bitrate}",
        "maxperf-enable=true",
        "insert-sps-pps=true",
        f"idrinterval={max(1, round(target.rate))}",
    ]


class PipelineEncoder:
    """H.264 of a GStreamer pipeline, in the order of its pictures (no B-frames).

    Where a packet ends shows only when the next one begins, so that it leaves one picture later. Raises EchoEdgeError
    where there is no GStreamer, OSError where the process has ended.
    """

    def __init__(self, container: av.container.OutputContainer, target: Target, elements: list[str]) -> None:
        launcher = shutil.which("gst-launch-1.0")
        if launcher is None:
            raise EchoEdgeError("GStreamer is missing: apt-get install gstreamer1.0-tools gstreamer1.0-plugins-bad")
        width, height, rate = target.width, target.height, target.rate
        self._stream = container.add_mux_stream("h264", rate=rate, width=width, height=height)
        self._stream.time_base = self._time_base = target.time_base
        raw = [
            "fdsrc",
            "fd=0",
            f"blocksize={width * height * 3 // 2}",
            "!",
            "rawvideoparse",
            "format=i420",
            f"width={width}",
            f"height={height}",
            f"framerate={rate.numerator}/{rate.denominator}",
        ]
        stream = ["h264parse", "!", "video/x-h264,stream-format=byte-stream,alignment=au", "!", "fdsink", "fd=1"]
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (a pipe that nobody reads would fill up)
        self._process = subprocess.Popen(
            [launcher, "-q", *raw, "!", *elements, "!", *stream, "sync=false"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            bufsize=0,
        )
        self._parser = av.CodecContext.create("h264", "r")
        self._times: deque[int] = deque()
        self._ready: deque[av.Packet] = deque()
        self._reader = threading.Thread(target=self._read, name="encoder", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := self._process.stdout.read(READ_BYTES):
            self._ready.extend(self._parser.parse(data))
        self._ready.extend(self._parser.parse(b""))

    def encode(self, planes: NDArray[np.uint8], pts: int) -> list[av.Packet]:
        assert self._process.stdin is not None
        self._times.append(pts)
        view = np.ascontiguousarray(planes).data.cast("B")
        try:
            while view:
                view = view[self._process.stdin.write(view) :]
        except BrokenPipeError as error:
            raise OSError(error.errno, self._end()) from error
        return self._stamped()

    def finish(self) -> list[av.Packet]:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
            self._reader.join(FINISH_S)
            self._end()
        return self._stamped()

    def _end(self) -> str:
        """Stop the process; the first line of what it complained about."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").splitlines()
        self._complaints.close()
        return next((line.strip() for line in lines if "rror" in line or "no element" in line), "GStreamer ended")

    def _stamped(self) -> list[av.Packet]:
        packets = []
        while self._ready and self._times:
            packet = self._ready.popleft()
            packet.pts = packet.dts = self._times.popleft()
            packet.time_base, packet.stream = self._time_base, self._stream
            packet.is_keyframe = KEY_NAL.search(bytes(packet)) is not None
            packets.append(packet)
        return packets
