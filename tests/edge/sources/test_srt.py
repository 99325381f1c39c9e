"""SRT from real senders on loopback, through the system's libsrt."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from edge.errors import EchoEdgeError, SourceError
from edge.sources import Live, open_source, srt
from tests.edge.sources.test_stream import take
from tests.peers.processes import free_port, running
from tests.peers.senders import H264, ffmpeg, gstreamer

PASSPHRASE = "0123456789abc"


@pytest.fixture
def libsrt() -> None:
    try:
        srt._library()
    except SourceError as error:
        pytest.skip(str(error))


def sender(program: str, pictures: Path, address: str) -> list[object]:
    return ffmpeg(pictures, *H264, address) if program == "ffmpeg" else gstreamer("srtsink", f"uri={address}")


@pytest.mark.usefixtures("libsrt")
@pytest.mark.parametrize("program", ["ffmpeg", "gstreamer"])
@pytest.mark.parametrize("ours", ["caller", "listener"])
def test_a_sender_is_read_as_caller_and_as_listener(pictures: Path, program: str, ours: str) -> None:
    port = free_port(socket.SOCK_DGRAM)
    theirs = "listener" if ours == "caller" else "caller"
    place = f"127.0.0.1:{port}" if ours == "caller" else f":{port}"
    with running(*sender(program, pictures, f"srt://127.0.0.1:{port}?mode={theirs}&passphrase={PASSPHRASE}")):
        address = f"srt://{place}?mode={ours}&passphrase={PASSPHRASE}&wait&timeout=5"
        assert take(address, 5) == [(480, 640, 3)] * 5


@pytest.mark.usefixtures("libsrt")
def test_a_wrong_passphrase_is_named_and_not_shown(pictures: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with running(*sender("gstreamer", pictures, f"srt://127.0.0.1:{port}?mode=listener&passphrase={PASSPHRASE}")):
        take(f"srt://127.0.0.1:{port}?passphrase={PASSPHRASE}&wait&timeout=5", 1)
        with pytest.raises(SourceError, match="passphrase") as raised:
            open_source(f"srt://127.0.0.1:{port}?passphrase=another-secret&timeout=5")
    assert "another-secret" not in str(raised.value)


@pytest.mark.usefixtures("libsrt")
def test_a_sender_that_calls_again_is_taken_again(pictures: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with open_source(f"srt://:{port}?mode=listener&wait&timeout=2") as source:
        assert isinstance(source, Live)
        frames = iter(source)
        for expected in (0, 1):
            with running(*sender("ffmpeg", pictures, f"srt://127.0.0.1:{port}?mode=caller")):
                frame = next(
                    frame for frame in frames if source.reconnects == expected
                )  # what was on its way comes first
    assert frame.number > 0


@pytest.mark.usefixtures("libsrt")
@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("srt://127.0.0.1:{port}?timeout=0.2&passphrase=secret-secret", r"passphrase=\*\*\*.*is the sender running"),
        ("srt://:{port}?mode=listener&timeout=0.2", "no sender came within 0.2 s"),
        ("srt://127.0.0.1:{port}?passphrase=secret", "must have 10 to 79 characters"),
        ("srt://127.0.0.1:{port}?mode=rendezvous", "caller and listener"),
        ("srt://127.0.0.1", "names no port"),
        ("srt://127.0.0.1:{port}?latencyms=20", "knows no option 'latencyms'; it has"),
    ],
)
def test_what_cannot_be_opened_says_so_without_secrets(uri: str, says: str) -> None:
    with pytest.raises(EchoEdgeError, match=says) as raised:
        open_source(uri.format(port=free_port(socket.SOCK_DGRAM)))
    assert "secret" not in str(raised.value)


def test_without_the_library_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srt, "LIBRARIES", ("no-such-library",))
    srt._library.cache_clear()
    try:
        with pytest.raises(SourceError, match="apt-get install libsrt"):
            open_source("srt://127.0.0.1:9000")
    finally:
        srt._library.cache_clear()


def test_the_options_are_those_of_the_header() -> None:
    header = Path("/usr/include/srt/srt.h")
    if not header.exists():
        pytest.skip("no header of libsrt (apt-get install libsrt-openssl-dev)")
    number, values = -1, {}
    listed = re.search(r"typedef enum SRT_SOCKOPT \{(.*?)\} SRT_SOCKOPT", header.read_text(), re.DOTALL)
    assert listed is not None
    for line in re.sub(r"//.*|/\*.*?\*/|#.*", "", listed[1]).split(","):
        found = re.match(r"\s*SRTO_(\w+)\s*(?:=\s*(\d+))?", line)
        if found:
            number = int(found[2]) if found[2] else number + 1
            values[found[1]] = number
    names = ("RCVSYN", "CONNTIMEO", "RCVTIMEO", "RCVLATENCY", "PASSPHRASE", "STREAMID")
    assert {name: values[name] for name in names} == {name: getattr(srt, name) for name in names}
