from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import EchoEdgeError
from edge.sources.address import parse_address, redacted, scheme_of


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
