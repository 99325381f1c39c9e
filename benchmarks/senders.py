"""A sender for the stream benchmarks: phantom screens from a GStreamer RTSP server on loopback, as a process of its
own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.peers.processes import SERVER, SYSTEM_PYTHON, answers  # noqa: E402
from tests.phantom import apical_frame, on_screen  # noqa: E402

PICTURES = 60


def make_pictures(folder: Path, width: int, height: int) -> None:
    """One beat of a phantom ventricle as JPEG screens."""
    for number in range(PICTURES):
        frame = apical_frame(1 + 0.2 * float(np.sin(2 * np.pi * number / PICTURES)), number)
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), on_screen(frame, width, height))


def start_server(port: int, folder: Path, fps: int) -> subprocess.Popen[bytes]:
    """Serve rtsp://127.0.0.1:port/echo; returns once it listens. The caller kills it."""
    command = [SYSTEM_PYTHON, str(SERVER), str(port), str(folder), str(PICTURES), str(fps)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            sys.exit(
                "no RTSP server: apt-get install python3-gst-1.0 gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good"
            )
        time.sleep(0.05)
    return process
