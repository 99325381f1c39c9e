"""Encoders with real bits: hardware that is not here is passed over, what comes out is decoded again."""

from __future__ import annotations

import logging
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from edge.errors import EchoEdgeError
from edge.sinks import encoder_choice, open_sink
from edge.sinks.encoder import Target
from edge.sinks.encoder_choice import choose_encoder, open_encoder
from edge.sinks.pipeline_encoder import PipelineEncoder, jetson_elements
from tests.edge.sinks.test_network import shown
from tests.peers.processes import need

TARGET = Target(320, 240, Fraction(25), Fraction(1, 60_000))
PTS = [0, 2400, 4800, 90_000, 92_400]
"""The third picture is followed by a gap, as dropped frames leave it."""


@pytest.fixture(autouse=True)
def fresh() -> None:
    choose_encoder.cache_clear()


def planes(level: int) -> np.ndarray:
    picture = np.full((TARGET.height * 3 // 2, TARGET.width), 128, np.uint8)
    picture[: TARGET.height] = level
    return picture


@cache
def hardware_here() -> list[str]:
    return [name for name in encoder_choice.HARDWARE if not encoder_choice._problem(name, TARGET)]


def test_hardware_that_does_not_open_is_passed_over_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    if hardware_here():
        pytest.skip(f"this machine encodes by {hardware_here()[0]}")
    with caplog.at_level(logging.INFO):
        assert choose_encoder("auto", TARGET) == "libx264"
    assert "encoded by libx264 (software); not here: h264_nvenc (" in caplog.text
    assert "nvv4l2h264enc (" in caplog.text


def test_hardware_that_opens_but_gives_nothing_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute:
        def encode(self, planes: np.ndarray, pts: int) -> list[av.Packet]:
            return []

        def finish(self) -> list[av.Packet]:
            return []

    for name in encoder_choice.HARDWARE:
        monkeypatch.setitem(encoder_choice.ENCODERS, name, lambda container, target: Mute())
    assert choose_encoder("auto", TARGET) == "libx264"


@pytest.mark.parametrize(("wanted", "says"), [("h264_nvenc", "does not work here"), ("h265", "is unknown; there are")])
def test_a_wanted_encoder_is_not_replaced(wanted: str, says: str) -> None:
    if wanted in hardware_here():
        pytest.skip(f"{wanted} works here")
    with pytest.raises(EchoEdgeError, match=says):
        choose_encoder(wanted, TARGET)


@pytest.mark.parametrize("wanted", ["libx264", "mpeg4"])
def test_a_wanted_encoder_writes_the_file(tmp_path: Path, wanted: str) -> None:
    with open_sink(tmp_path / "x.mp4", 25, encoder=wanted) as sink:
        sink.write(shown())
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert container.streams.video[0].codec_context.name == ("h264" if wanted == "libx264" else "mpeg4")


def write(path: Path, monkeypatch: pytest.MonkeyPatch, elements: list[str], format: str | None = None) -> None:
    """A video by GStreamer's software encoder in the place of a Jetson's."""
    monkeypatch.setitem(
        encoder_choice.ENCODERS, "nvv4l2h264enc", lambda container, target: PipelineEncoder(container, target, elements)
    )
    with av.open(str(path), "w", format=format) as container:
        encoder = open_encoder(container, TARGET, "nvv4l2h264enc")
        for level, pts in zip((40, 80, 120, 160, 200), PTS):
            container.mux(encoder.encode(planes(level), pts))
        container.mux(encoder.finish())


@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_a_pipeline_keeps_each_pictures_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    need("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-bad")
    path = tmp_path / f"x.{suffix}"
    write(path, monkeypatch, ["openh264enc", "gop-size=3"])
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    times = [float(frame.time) - float(frames[0].time) for frame in frames]
    assert times == pytest.approx([pts / 60_000 for pts in PTS], abs=1e-4)
    levels = [frame.to_ndarray(format="yuv420p")[:240].mean() for frame in frames]
    assert np.allclose(levels, (40, 80, 120, 160, 200), atol=3)
    assert [frame.key_frame for frame in frames] == [True, False, False, True, False]


def test_a_pipeline_without_the_element_fails_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    need("gst-launch-1.0", "gstreamer1.0-tools")
    monkeypatch.setitem(
        encoder_choice.ENCODERS,
        "nvv4l2h264enc",
        lambda container, target: PipelineEncoder(container, target, jetson_elements(target)),
    )
    if "nvv4l2h264enc" in hardware_here():
        pytest.skip("this is a Jetson with an encoder")
    with pytest.raises(EchoEdgeError, match=r"nvv4l2h264enc \(.+\) does not work here"):
        choose_encoder("nvv4l2h264enc", TARGET)
