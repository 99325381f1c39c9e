"""Streams from real senders on loopback: RTSP, MPEG-TS over UDP and HTTP, MJPEG over HTTP and HTTPS."""

from __future__ import annotations

import http.server
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from itertools import islice, pairwise
from pathlib import Path

import pytest

from edge.errors import SourceError
from edge.sources import Captured, Live, open_source
from tests.peers.processes import free_port, need, need_rtsp_server, rtsp_server, running, wait_until
from tests.peers.senders import H264, ffmpeg, gstreamer


def take(uri: str, count: int) -> list[tuple[int, ...]]:
    """Shapes of the first frames, which must be numbered, in order of time, and no black."""
    with open_source(uri) as source:
        assert isinstance(source, Live)
        frames = list(islice(source, count))
    assert [f.number for f in frames] == list(range(count))
    times = [f.time_s for f in frames]
    assert times == sorted(times)
    assert all(f.image.max() > 100 for f in frames)
    return [f.image.shape for f in frames]


def test_rtsp(pictures: Path) -> None:
    need_rtsp_server()
    port = free_port()
    with rtsp_server(port, pictures, 10, 30):
        assert take(f"rtsp://127.0.0.1:{port}/echo", 10) == [(480, 640, 3)] * 10


@pytest.mark.parametrize("program", ["ffmpeg", "gstreamer"])
def test_mpeg_ts_over_udp(pictures: Path, program: str) -> None:
    port = free_port(socket.SOCK_DGRAM)
    command = (
        ffmpeg(pictures, *H264, f"udp://127.0.0.1:{port}?pkt_size=1316")
        if program == "ffmpeg"
        else gstreamer("udpsink", "host=127.0.0.1", f"port={port}")
    )
    with running(*command):
        assert take(f"udp://127.0.0.1:{port}?timeout=20", 10) == [(480, 640, 3)] * 10


@pytest.mark.parametrize("program", ["ffmpeg", "gstreamer"])
def test_a_udp_sender_comes_back_with_another_size_and_time_goes_on(pictures: Path, program: str) -> None:
    """Within the time-out nothing breaks: the same reader sees new headers and a clock that starts again."""
    port = free_port(socket.SOCK_DGRAM)
    frames: list[Captured] = []
    with open_source(f"udp://127.0.0.1:{port}?timeout=20&wait") as source:
        assert isinstance(source, Live)
        reader = threading.Thread(target=lambda: frames.extend(islice(source, 40)), daemon=True)
        reader.start()
        for width, height in ((640, 480), (800, 600)):
            command = (
                ffmpeg(pictures, "-s", f"{width}x{height}", *H264, f"udp://127.0.0.1:{port}?pkt_size=1316")
                if program == "ffmpeg"
                else gstreamer("udpsink", "host=127.0.0.1", f"port={port}", width=width, height=height)
            )
            with running(*command):
                wait_until(
                    lambda size=(height, width, 3): sum(frame.image.shape == size for frame in list(frames)) >= 10,
                    f"ten frames of {width}x{height}",
                )
        source.stop()
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))
    assert [frame.number for frame in frames] == list(range(len(frames)))


def test_mpeg_ts_over_http(pictures: Path) -> None:
    port = free_port()
    with running(*ffmpeg(pictures, *H264, "-listen", "1", f"http://127.0.0.1:{port}/echo.ts")):
        assert take(f"http://127.0.0.1:{port}/echo.ts?wait", 10) == [(480, 640, 3)] * 10


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_mjpeg(pictures: Path, tmp_path: Path, scheme: str) -> None:
    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            try:
                while True:
                    for path in sorted(pictures.iterdir()):
                        part = path.read_bytes()
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
                        self.wfile.write(head.encode() + part + b"\r\n")
                        time.sleep(0.02)
            except OSError:
                return

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self_signed(tmp_path))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert take(f"{scheme}://127.0.0.1:{server.server_port}/video", 10) == [(480, 640, 3)] * 10
    finally:
        server.shutdown()
        server.server_close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) of 127.0.0.1, as a camera on the ward's network has it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = [
        need("openssl", "openssl"),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def test_a_restarted_sender_is_found_again(pictures: Path) -> None:
    need_rtsp_server()
    port = free_port()
    with open_source(f"rtsp://user:secret@127.0.0.1:{port}/echo?wait&timeout=1") as source:
        assert isinstance(source, Live)
        frames = iter(source)
        for expected in (0, 1):
            with rtsp_server(port, pictures, 10, 30):
                frame = next(
                    frame for frame in frames if source.reconnects == expected
                )  # what was on its way comes first
    assert frame.number > 0


@pytest.mark.parametrize("place", ["rtsp://user:secret@{}/echo?wait", "http://{}/video?token=secret&wait"])
def test_neither_the_log_nor_a_traceback_tells_a_password(place: str, caplog: pytest.LogCaptureFixture) -> None:
    address = place.format(f"127.0.0.1:{free_port()}")
    with caplog.at_level(logging.DEBUG), open_source(address) as source:
        assert isinstance(source, Live)
        reader = threading.Thread(target=lambda: list(source))
        reader.start()
        wait_until(lambda: "attempt 2" in caplog.text, "two attempts")
        source.stop()
        reader.join(30)
    assert "***" in caplog.text
    assert "secret" not in caplog.text
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "run", address.removesuffix("wait"), "--debug"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" in done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_an_unknown_transport_is_refused() -> None:
    with pytest.raises(SourceError, match="over tcp or udp"):
        open_source("rtsp://127.0.0.1/echo?transport=pigeon")


def test_buffers_are_used_again(pictures: Path) -> None:
    need_rtsp_server()
    port = free_port()
    with rtsp_server(port, pictures, 10, 30), open_source(f"rtsp://127.0.0.1:{port}/echo") as source:
        addresses = {frame.image.__array_interface__["data"][0] for frame in islice(source, 12)}
    assert len(addresses) <= 3
