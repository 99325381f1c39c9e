"""Real peers on loopback: start a program, wait until it answers, stop it by its own process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 30.0
SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need(program: str, package: str) -> str:
    """Path of a program; skips the test where it is not installed."""
    found = shutil.which(program) or shutil.which(f"/usr/sbin/{program}")
    if found is None:
        pytest.skip(f"{program} is not installed (apt-get install {package})")
    return found


def wait_until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Poll until something holds; a generous deadline turns a hang into a failure."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        time.sleep(0.02)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


@contextmanager
def running(*command: object, port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program for the length of a block; with `port` the block starts when it listens there."""
    process = subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        if port is not None:
            wait_until(lambda: process.poll() is not None or answers(port), f"{command[0]} on port {port}")
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def virtual_screen(size: str = "1280x720") -> Iterator[dict[str, str]]:
    """The environment of a program that shall draw on a screen of this size which nobody sees."""
    server, display = need("Xvfb", "xvfb"), f":{50 + free_port() % 500}"
    with running(server, display, "-screen", "0", f"{size}x24", "-nolisten", "tcp"):
        wait_until(lambda: Path(f"/tmp/.X11-unix/X{display[1:]}").exists(), "the X server")
        yield {**os.environ, "DISPLAY": display}


def need_rtsp_server() -> None:
    """Skips where the system's Python has no GStreamer RTSP server."""
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run([SYSTEM_PYTHON, "-c", check], capture_output=True, check=False).returncode:
        pytest.skip(
            "no RTSP server (apt-get install python3-gst-1.0 gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good)"
        )


@contextmanager
def rtsp_server(port: int, folder: Path, count: int, fps: int) -> Iterator[subprocess.Popen[bytes]]:
    with running(SYSTEM_PYTHON, SERVER, port, folder, count, fps, port=port) as process:
        yield process
