"""Live inputs against real senders on loopback."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge.errors import SourceError
from edge.igtl import image_body, pack, text_body
from edge.sources import Live, open_source
from edge.sources.csi import Geometry, open_csi
from edge.sources.live import Backoff, LiveSource, Picture
from tests.peers.processes import free_port, need, need_rtsp_server, rtsp_server, running, wait_until
from tests.phantom import apical_frame, on_screen


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(10):
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), on_screen(apical_frame(seed=number), 640, 480))
    return folder


def take(uri: str, count: int) -> list[tuple[int, ...]]:
    with open_source(uri) as source:
        assert isinstance(source, Live)
        frames = list(islice(source, count))
    assert [f.number for f in frames] == list(range(count))
    times = [f.time_s for f in frames]
    assert times == sorted(times)
    assert all(f.image.max() > 100 for f in frames)
    return [f.image.shape for f in frames]


def sender(pictures: Path, *output: object) -> list[object]:
    """ffmpeg sending the pictures for ever at 25 fps, every frame a key frame so that a late joiner sees one."""
    return [
        need("ffmpeg", "ffmpeg"), "-loglevel", "error", "-re", "-stream_loop", "-1", "-framerate", "25",
        "-i", pictures / "%03d.jpg", "-pix_fmt", "yuv420p", *output,
    ]  # fmt: skip


H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "1", "-f", "mpegts")


def test_rtsp(pictures: Path) -> None:
    need_rtsp_server()
    port = free_port()
    with rtsp_server(port, pictures, 10, 30):
        assert take(f"rtsp://127.0.0.1:{port}/echo", 10) == [(480, 640, 3)] * 10


def test_mpeg_ts_over_udp(pictures: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with running(*sender(pictures, *H264, f"udp://127.0.0.1:{port}?pkt_size=1316")):
        assert take(f"udp://127.0.0.1:{port}?timeout=20", 10) == [(480, 640, 3)] * 10


def test_srt_is_read_or_says_how(pictures: Path) -> None:
    """PyAV's wheels carry no libsrt; builds against the system's FFmpeg do."""
    port = free_port(socket.SOCK_DGRAM)
    with running(*sender(pictures, *H264, f"srt://127.0.0.1:{port}?mode=listener&passphrase=0123456789abc")):
        address = f"srt://127.0.0.1:{port}?passphrase=0123456789abc&timeout=20"
        if av_speaks("srt"):
            assert take(address, 5) == [(480, 640, 3)] * 5
        else:
            with pytest.raises(SourceError, match="srt-live-transmit") as raised:
                open_source(address)
            assert "0123456789abc" not in str(raised.value)


def av_speaks(protocol: str) -> bool:
    try:
        av.open(f"{protocol}://127.0.0.1:1", timeout=1)
    except av.ProtocolNotFoundError:
        return False
    except (av.FFmpegError, OSError):
        return True
    return True


def serve(handler: type[http.server.BaseHTTPRequestHandler]) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_http_mjpeg(pictures: Path) -> None:
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

    server = serve(Camera)
    try:
        assert take(f"http://127.0.0.1:{server.server_port}/video?format=mpjpeg", 10) == [(480, 640, 3)] * 10
    finally:
        server.shutdown()
        server.server_close()


class IgtlServer:
    """Serves each connection what `messages` yields, then closes it."""

    def __init__(self, messages: Callable[[], list[bytes]]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._messages = messages
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                for message in self._messages():
                    peer.sendall(message)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def test_openigtlink_survives_a_restart_and_a_change_of_size() -> None:
    sizes = iter([(6, 8), (10, 4)])

    def messages() -> list[bytes]:
        shape = next(sizes, (10, 4))
        image = image_body(np.full(shape, 200, np.uint8), (0.5, 0.25))
        return [pack("STRING", "note", text_body("hello")), *[pack("IMAGE", "echo", image, 5 + n) for n in range(2)]]

    server = IgtlServer(messages)
    try:
        with open_source(f"igtl://127.0.0.1:{server.port}") as source:
            frames = list(islice(source, 4))
            assert source.spacing_mm == (0.5, 0.25)
            assert source.reconnects == 1  # type: ignore[attr-defined]
    finally:
        server.close()
    assert [f.image.shape for f in frames] == [(6, 8), (6, 8), (10, 4), (10, 4)]
    assert [f.number for f in frames] == [0, 1, 2, 3]
    assert [f.time_s for f in frames] == sorted(f.time_s for f in frames)


def test_a_server_of_pyigtl_is_read() -> None:
    pyigtl = pytest.importorskip("pyigtl", reason="pip install pyigtl")
    port = free_port()
    server = pyigtl.OpenIGTLinkServer(port, local_server=True)
    pixels = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8)
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.02):
            server.send_message(pyigtl.ImageMessage(pixels[None], device_name="echo"))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        with open_source(f"igtl://127.0.0.1:{port}?wait") as source:
            frame = next(iter(source))
        assert np.array_equal(frame.image, pixels)
    finally:
        stop.set()
        thread.join(5)
        server.stop()


def test_a_restarted_sender_is_found_again(pictures: Path) -> None:
    need_rtsp_server()
    port = free_port()
    with open_source(f"rtsp://user:secret@127.0.0.1:{port}/echo?wait&timeout=1") as source:
        assert isinstance(source, Live)
        frames = iter(source)
        for expected in (0, 1):
            with rtsp_server(port, pictures, 10, 30):
                for frame in islice(frames, 3):
                    last = frame.number
            assert source.reconnects == expected
    assert last >= 5


def test_waiting_ends_when_stopped() -> None:
    with open_source(f"rtsp://127.0.0.1:{free_port()}/echo?wait") as source:
        assert isinstance(source, Live)
        threading.Timer(0.3, source.stop).start()
        assert list(source) == []
        assert "reconnecting" in source.status or "waiting" in source.status


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("rtsp://user:secret@127.0.0.1:{port}/echo", r"rtsp://\*\*\*@127.*refused"),
        ("igtl://127.0.0.1:{port}", "refused"),
        ("http://127.0.0.1:{port}/?token=secret", r"token=\*\*\*.*refused"),
        ("rtsp://127.0.0.1:{port}/echo?transport=pigeon", "over tcp or udp"),
        ("gopher://user:secret@127.0.0.1", r"gopher://\*\*\*@127.0.0.1 has an unknown scheme"),
    ],
)
def test_what_cannot_be_reached_says_so_without_secrets(uri: str, says: str) -> None:
    with pytest.raises(SourceError, match=says) as raised:
        open_source(uri.format(port=free_port()))
    assert "secret" not in str(raised.value)


def raw_pipeline(sensor: int, geometry: Geometry) -> list[str]:
    caps = f"video/x-raw,format=RGB,width={geometry.width},height={geometry.height},framerate={geometry.fps}/1"
    return ["videotestsrc", "is-live=true", "pattern=smpte", "!", caps]


def test_a_gstreamer_pipeline_is_read() -> None:
    need("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-base")
    with open_csi("csi://0?width=160&height=120&fps=30", raw_pipeline) as source:
        frames = list(islice(source, 5))
    assert frames[0].image.shape == (120, 160, 3)
    assert np.abs(frames[0].image[10, 5].astype(int) - 255).max() < 3  # the first SMPTE bar is white


def test_without_a_jetson_camera_the_remedy_is_named() -> None:
    need("gst-launch-1.0", "gstreamer1.0-tools")
    with open_source("csi://0?timeout=20") as source:
        assert isinstance(source, Live)
        thread = threading.Thread(target=lambda: list(source))
        thread.start()
        wait_until(lambda: "nvidia-l4t-gstreamer" in source.status, "the remedy")
        source.stop()
        thread.join(30)


class Broken:
    """A feed that yields one picture, then breaks."""

    fps, spacing_mm = 25.0, None

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield Picture(np.zeros((2, 2), np.uint8), 7.0, "gray")
        raise SourceError("cable pulled")

    def close(self) -> None:
        """Nothing to free."""


def test_a_break_is_told_and_time_goes_on() -> None:
    with LiveSource("test", Broken, backoff=Backoff(0.01)) as source:
        frames = list(islice(source, 4))
    assert source.reconnects == 3
    assert [f.number for f in frames] == [0, 1, 2, 3]
    assert frames[0].time_s == 0
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))


def test_back_off_doubles_up_to_its_ceiling_and_is_spread() -> None:
    backoff = Backoff(0.25, 8.0, 0.5)
    assert [backoff.wait_s(n, 0) for n in (1, 2, 3, 6, 7, 1000)] == [0.25, 0.5, 1.0, 8.0, 8.0, 8.0]
    assert backoff.wait_s(3, 0.999) == pytest.approx(0.5, abs=0.01)


def test_buffers_are_used_again(pictures: Path) -> None:
    need_rtsp_server()
    port = free_port()
    with rtsp_server(port, pictures, 10, 30), open_source(f"rtsp://127.0.0.1:{port}/echo") as source:
        addresses = {frame.image.__array_interface__["data"][0] for frame in islice(source, 12)}
    assert len(addresses) <= 3
