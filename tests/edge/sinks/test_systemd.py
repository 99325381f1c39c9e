from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from edge.sinks import open_sink
from edge.sinks.base import Shown
from edge.sinks.notify import Notifier
from edge.sinks.systemd import SystemdSink


def shown(banner: str = "") -> Shown:
    return cast(Shown, SimpleNamespace(banner=banner))


@pytest.fixture
def server(tmp_path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(tmp_path / "notify"))
    server.settimeout(10)
    return server


def received(server: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in server.recv(4096).decode().splitlines())


def nothing_more(server: socket.socket) -> bool:
    server.setblocking(False)
    try:
        server.recv(4096)
    except BlockingIOError:
        return True
    finally:
        server.settimeout(10)
    return False


def test_ready_with_the_first_picture_and_alive_from_then_on(server: socket.socket) -> None:
    with server, SystemdSink(Notifier(server.getsockname()), watchdog=0.0) as sink:
        assert received(server) == {"STATUS": "waiting for the first picture"}
        sink.write(shown("NO SIGNAL: reconnecting"))
        assert received(server) == {"READY": "1", "STATUS": "NO SIGNAL: reconnecting", "WATCHDOG": "1"}
        sink.write(shown())
        assert received(server) == {"STATUS": "overlay is shown", "WATCHDOG": "1"}
        sink.write(shown())
        assert received(server) == {"WATCHDOG": "1"}


def test_a_stuck_analysis_gives_no_sign_of_life(server: socket.socket) -> None:
    with server, SystemdSink(Notifier(server.getsockname()), watchdog=0.0) as sink:
        received(server)
        sink.write(shown("ANALYSIS STUCK: one inference takes more than 150 ms"))
        assert "WATCHDOG" not in received(server)
        sink.write(shown("ANALYSIS STUCK: one inference takes more than 150 ms"))
        assert nothing_more(server)


def test_signs_of_life_are_few(server: socket.socket) -> None:
    with server, SystemdSink(Notifier(server.getsockname()), watchdog=3600.0) as sink:
        received(server)
        for _ in range(5):
            sink.write(shown())
        assert "WATCHDOG" in received(server)
        assert nothing_more(server)


def test_it_ends_in_order(server: socket.socket) -> None:
    with server:
        with SystemdSink(Notifier(server.getsockname())):
            received(server)
        assert received(server) == {"STOPPING": "1"}


def test_it_is_opened_by_its_address() -> None:
    assert isinstance(open_sink("systemd://", 30.0), SystemdSink)
