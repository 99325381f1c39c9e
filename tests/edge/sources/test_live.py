"""Live inputs but streams: breaks and returns, OpenIGTLink, CSI cameras."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.errors import SourceError
from edge.igtl.message import image_body, pack, text_body
from edge.sources import Live, open_source
from edge.sources.csi import Geometry, open_csi
from edge.sources.live import Backoff, LiveSource, Picture
from tests.peers.openigtlink import build_example, images_of_imager
from tests.peers.processes import free_port, need, running, wait_until


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
            assert source.stated.spacing_mm == (0.5, 0.25)
            assert source.reconnects == 1  # type: ignore[attr-defined]
    finally:
        server.close()
    assert [f.image.shape for f in frames] == [(6, 8), (6, 8), (10, 4), (10, 4)]
    assert [f.number for f in frames] == [0, 1, 2, 3]
    assert [f.time_s for f in frames] == sorted(f.time_s for f in frames)


@pytest.mark.parametrize(
    ("spacing_mm", "stated_mm"), [((0.5, 0.25), (0.5, 0.25)), ((1.0, 1.0), None), ((float("nan"), 0.5), None)]
)
def test_a_matrix_of_directions_alone_is_no_scale(
    spacing_mm: tuple[float, float], stated_mm: tuple[float, float] | None
) -> None:
    image = image_body(np.full((6, 8), 200, np.uint8), spacing_mm)
    server = IgtlServer(lambda: [pack("IMAGE", "echo", image, 5)])
    try:
        with open_source(f"igtl://127.0.0.1:{server.port}") as source:
            frame = next(iter(source))
    finally:
        server.close()
    assert frame.stated is not None
    assert frame.stated.spacing_mm == stated_mm
    assert (frame.stated.problem == "") == (stated_mm is not None)


def test_a_scale_that_changes_belongs_to_the_pictures_that_bring_it() -> None:
    bodies = [image_body(np.full((6, 8), 200, np.uint8), mm) for mm in ((0.5, 0.5), (0.25, 0.25), None)]
    server = IgtlServer(lambda: [pack("IMAGE", "echo", body, 5 + n) for n, body in enumerate(bodies)])
    try:
        with open_source(f"igtl://127.0.0.1:{server.port}") as source:
            frames = list(islice(source, 3))
            assert source.stated.spacing_mm is None
    finally:
        server.close()
    assert [f.stated.spacing_mm for f in frames if f.stated] == [(0.5, 0.5), (0.25, 0.25), None]


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


def test_the_example_server_of_openigtlink_is_read(tmp_path: Path) -> None:
    imager, port = build_example("Imager/ImagerServer", tmp_path), free_port()
    with running(imager, port, 25, images_of_imager()), open_source(f"igtl://127.0.0.1:{port}?wait") as source:
        frames = list(islice(source, 3))
    served = [np.fromfile(path, np.uint8).reshape(256, 256) for path in sorted(images_of_imager().glob("*.raw"))]
    assert all(any(np.array_equal(frame.image, image) for image in served) for frame in frames)
    assert source.stated.spacing_mm is None  # its matrix holds directions alone
    assert [f.time_s for f in frames] == sorted(f.time_s for f in frames)


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

    fps, damaged = 25.0, 0

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


class Leaping:
    """A feed whose time leaps, as that of a UDP sender that was started again within the time-out."""

    fps, damaged = 25.0, 0

    def __init__(self, times: tuple[float, ...]) -> None:
        self._times = times

    def __iter__(self):  # type: ignore[no-untyped-def]
        for time_s in self._times:
            yield Picture(np.zeros((2, 2), np.uint8), time_s, "gray")

    def close(self) -> None:
        """Nothing to free."""


@pytest.mark.parametrize(
    "times",
    [(7.0, 7.04, 0.0, 0.04), (7.0, 7.04, 90_000.0, 90_000.04)],
    ids=["backwards", "far ahead"],
)
def test_time_neither_turns_back_nor_leaps(times: tuple[float, ...]) -> None:
    with LiveSource("test", lambda: Leaping(times)) as source:
        found = [frame.time_s for frame in islice(source, 4)]
    assert found[:2] == pytest.approx([0, 0.04])
    assert found[1] <= found[2] < 30
    assert found[3] - found[2] == pytest.approx(0.04)


def test_back_off_doubles_up_to_its_ceiling_and_is_spread() -> None:
    backoff = Backoff(0.25, 8.0, 0.5)
    assert [backoff.wait_s(n, 0) for n in (1, 2, 3, 6, 7, 1000)] == [0.25, 0.5, 1.0, 8.0, 8.0, 8.0]
    assert backoff.wait_s(3, 0.999) == pytest.approx(0.5, abs=0.01)
