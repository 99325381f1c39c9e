from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edge.sinks.notify import Notifier, watchdog_s

pytestmark = pytest.mark.portable


def listen(address: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind("\0" + address[1:] if address.startswith("@") else address)
    server.settimeout(10)
    return server


@pytest.mark.parametrize("abstract", [False, True])
def test_messages_arrive_as_systemd_wants_them(tmp_path: Path, abstract: bool) -> None:
    address = f"@echoedge-test-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with listen(address) as server:
        notifier = Notifier(address)
        notifier.send(READY="1", STATUS="two\nlines")
        assert server.recv(1024) == b"READY=1\nSTATUS=two lines"
        notifier.close()


def test_nobody_listening_is_no_error(tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "gone")):
        notifier = Notifier(address)
        notifier.send(WATCHDOG="1")
        notifier.close()


@pytest.mark.parametrize(("value", "seconds"), [("10000000", 10.0), ("", 0.0), ("soon", 0.0)])
def test_the_time_that_systemd_gives(monkeypatch: pytest.MonkeyPatch, value: str, seconds: float) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", value)
    assert watchdog_s() == seconds
