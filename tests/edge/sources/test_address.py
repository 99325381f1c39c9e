from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import EchoEdgeError
from edge.sources import open_source
from edge.sources.address import parse_address, redacted, scheme_of, shown_host


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://user:pass@host:554/x", "rtsp://***@host:554/x"),
        ("rtsp://user:p@ss@host/x", "rtsp://***@host/x"),
        ("srt://host:1?mode=caller&passphrase=abc&x=1", "srt://host:1?mode=caller&passphrase=***&x=1"),
        ("http://host/?api_key=abc", "http://host/?api_key=***"),
        ("/home/me/loop@home.mp4", "/home/me/loop@home.mp4"),
    ],
)
def test_secrets_are_not_shown(uri: str, shown: str) -> None:
    assert redacted(uri) == shown


@given(st.text(st.characters(codec="ascii", exclude_characters="/?#@ ", categories=["L", "N", "P"]), min_size=8))
def test_no_password_survives(password: str) -> None:
    assert password not in redacted(f"rtsp://u:{password}@h/").replace("***@h/", "")


def test_own_options_leave_the_url_and_others_stay() -> None:
    address = parse_address("rtsp://h/stream?channel=1&timeout=3&wait", ("timeout", "wait"), strict=False)
    assert address.url == "rtsp://h/stream?channel=1"
    assert address.number("timeout", 1) == 3
    assert address.flag("wait")
    assert not address.flag("absent")


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("v4l2:///dev/video0?wdith=3", "knows no option 'wdith'; it has width"),
        ("v4l2:///dev/video0?width=wide", "width=wide is no number"),
        ("v4l2:///dev/video0?width=1.5", "must be a whole number"),
    ],
)
def test_wrong_options_are_refused(uri: str, says: str) -> None:
    with pytest.raises(EchoEdgeError, match=says):
        parse_address(uri, ("width",)).whole("width", 0)


@pytest.mark.parametrize(("uri", "scheme"), [("RTSP://h", "rtsp"), ("a.mp4", ""), ("C:\\x.mp4", ""), ("/a:b/c", "")])
def test_schemes(uri: str, scheme: str) -> None:
    assert scheme_of(uri) == scheme


@pytest.mark.parametrize(("uri", "says"), [("igtl://", "names no host"), ("igtl://h:99999", "port that is no number")])
def test_places_without_host_or_port_are_refused(uri: str, says: str) -> None:
    with pytest.raises(EchoEdgeError, match=says):
        parse_address(uri, ()).host_port(18944)


@pytest.mark.parametrize(
    ("uri", "host", "port", "credentials"),
    [
        ("mqtt://user:p%2Fss@h:1/echo", "h", 1, ("user", "p/ss")),
        ("mqtt://user:p%23ss@h/echo", "h", 1883, ("user", "p#ss")),
        ("mqtt://us%40er:p%3A%3Fss@h/echo", "h", 1883, ("us@er", "p:?ss")),
        ("mqtt://user@h/echo", "h", 1883, ("user", None)),
        ("mqtt://[::1]:9/echo", "::1", 9, None),
        ("mqtt://u:p@[fe80::1]/echo", "fe80::1", 1883, ("u", "p")),
    ],
)
def test_what_is_percent_encoded_is_decoded_after_it_was_split(
    uri: str, host: str, port: int, credentials: tuple[str, str | None] | None
) -> None:
    address = parse_address(uri, ())
    assert address.host_port(1883) == (host, port)
    assert address.credentials() == credentials
    assert address.path == "echo"
    assert "%" not in address.path


def test_an_ipv6_host_is_shown_in_brackets() -> None:
    assert shown_host("::1", 9108) == "[::1]:9108"
    assert shown_host("127.0.0.1", 9108) == "127.0.0.1:9108"
    with pytest.raises(EchoEdgeError, match=r"write an IPv6 host as \[::1\]"):
        parse_address("metrics://[::1:9108", ())


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("a b.png", "file://{folder}/a%20b.png"),
        ("a#b.png", "file://{folder}/a%23b.png"),
        ("a#b.png", "{folder}/a#b.png?loop=0"),
        ("50%.png", "{folder}/50%.png"),
        ("50%20.png", "{folder}/50%20.png?loop=0"),
        ("a b.png", "FILE://localhost{folder}/a%20b.png?loop=0"),
        ("what?.png", "{folder}/what?.png"),
    ],
)
def test_files_by_path_and_by_address(tmp_path: Path, name: str, uri: str) -> None:
    cv2.imwrite(str(tmp_path / name), np.zeros((4, 5), np.uint8))
    with open_source(uri.format(folder=tmp_path)) as source:
        assert next(iter(source)).image.shape == (4, 5)
