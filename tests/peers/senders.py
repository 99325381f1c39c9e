"""Real senders of video on loopback: FFmpeg's and GStreamer's command lines."""

from __future__ import annotations

from pathlib import Path

import cv2

from tests.peers.processes import need
from tests.phantom import apical_frame, on_screen

PICTURES = 10
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "1", "-f", "mpegts")
"""Every frame a key frame, so that a late joiner sees one."""


def write_pictures(folder: Path) -> Path:
    """PICTURES phantom screens of 640x480 as JPEG."""
    for number in range(PICTURES):
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), on_screen(apical_frame(seed=number), 640, 480))
    return folder


def ffmpeg(pictures: Path, *output: object) -> list[object]:
    """FFmpeg sending the pictures for ever at 25 fps."""
    return [
        need("ffmpeg", "ffmpeg"),
        "-loglevel",
        "error",
        "-re",
        "-stream_loop",
        "-1",
        "-framerate",
        "25",
        "-i",
        pictures / "%03d.jpg",
        "-pix_fmt",
        "yuv420p",
        *output,
    ]


def gstreamer(*output: object, width: int = 640, height: int = 480) -> list[object]:
    """GStreamer sending a moving ball as MPEG-TS at 25 fps."""
    caps = f"video/x-raw,width={width},height={height},framerate=25/1"
    return [
        need("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-bad"),
        "-q",
        "videotestsrc",
        "is-live=true",
        "pattern=ball",
        "!",
        caps,
        "!",
        "openh264enc",
        "gop-size=1",
        "!",
        "mpegtsmux",
        "alignment=7",
        "!",
        *output,
    ]
