"""Recordings on disk, whole and broken off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import EchoEdgeError, SourceError
from edge.heart.plane import Turn
from edge.screen.setting import Decided
from edge.sources import Captured, open_source
from edge.sources.sidecar import read_sidecar, sidecar_path
from edge.stages.record import Recorder

RNG = np.random.default_rng(0)


def frames(count: int, shape: tuple[int, ...] = (60, 80, 3)) -> list[Captured]:
    return [Captured(2 * n, RNG.integers(0, 256, shape, np.uint8), 1000 * n, n / 30) for n in range(count)]


def recorded(path: Path, written: list[Captured]) -> Recorder:
    recorder = Recorder(path, open_source("synth://a4c?frames=1"))
    for frame in written:
        recorder.write(frame, Decided(problem="", quality=frame.number % 3 == 0))
    return recorder


@pytest.mark.parametrize("shape", [(60, 80, 3), (60, 80)])
def test_what_was_recorded_comes_back(shape: tuple[int, ...], tmp_path: Path) -> None:
    written = frames(10, shape)
    recorded(tmp_path / "x.mkv", written).finish()
    with open_source(str(tmp_path / "x.mkv")) as source:
        again = list(source)
        assert source.is_recording
    assert [(f.number, f.captured_ns, f.time_s) for f in again] == [
        (f.number, f.captured_ns, f.time_s) for f in written
    ]
    assert [f.decided is not None and f.decided.quality for f in again] == [f.number % 3 == 0 for f in written]
    for one, other in zip(again, written):
        np.testing.assert_array_equal(one.image if other.image.ndim == 3 else np.squeeze(one.image), other.image)


def test_how_the_picture_stands_is_replayed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "x.mkv", open_source("synth://a4c?frames=1"))
    turns = [None, Turn(mirrored=True), Turn(upside_down=True)]
    for frame, turn in zip(frames(3), turns):
        recorder.write(frame, Decided(problem="", turn=turn))
    recorder.finish()
    with open_source(str(tmp_path / "x.mkv")) as source:
        assert [frame.decided and frame.decided.turn for frame in source] == turns


def test_it_can_be_replayed_while_it_is_written_and_wherever_it_breaks_off(tmp_path: Path) -> None:
    recorder = recorded(tmp_path / "x.mkv", frames(30))
    with open_source(str(tmp_path / "x.mkv")) as source:
        assert len(list(source)) >= 28
    lines = sidecar_path(tmp_path / "x.mkv")
    lines.write_bytes(lines.read_bytes()[:-5])  # half a line
    sidecar = read_sidecar(tmp_path / "x.mkv")
    assert sidecar is not None
    assert len(sidecar.frames) == 29
    with open_source(str(tmp_path / "x.mkv")) as source:
        assert len(list(source)) in (28, 29)
    recorder.finish()


def test_another_size_ends_it_and_the_note_says_so(tmp_path: Path) -> None:
    recorder = recorded(tmp_path / "x.mkv", frames(5))
    with pytest.raises(EchoEdgeError, match="size changed at frame 0") as error:
        recorder.write(frames(1, (30, 40, 3))[0], Decided(problem=""))
    recorder.finish(str(error.value))
    sidecar = read_sidecar(tmp_path / "x.mkv")
    assert sidecar is not None
    assert (len(sidecar.frames), sidecar.note) == (5, "the picture's size changed at frame 0")


def test_an_earlier_recording_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.mkv"
    recorded(path, frames(3)).finish()
    broken = recorded(path, frames(9))
    broken.finish("the disk is full")
    with open_source(str(path)) as source:
        assert len(list(source)) == 3
    with open_source(str(tmp_path / "x.part.mkv")) as source:
        assert len(list(source)) == 9
    recorded(path, frames(4)).finish()
    with open_source(str(path)) as source:
        assert len(list(source)) == 4


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    recorded(tmp_path / "x.mkv", []).finish()
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EchoEdgeError, match=r"give a name ending in \.mkv, not x\.mp4"):
        recorded(tmp_path / "x.mp4", [])
    first = recorded(tmp_path / "x.mkv", frames(1))
    with pytest.raises(EchoEdgeError, match="another run is writing"):
        recorded(tmp_path / "x.mkv", [])
    first.finish()


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"frames":[]}\n', b"\xff\n", b"[1,2]\n"])
def test_a_sidecar_that_is_none_says_so(content: bytes, tmp_path: Path) -> None:
    recorded(tmp_path / "x.mkv", frames(1)).finish()
    sidecar_path(tmp_path / "x.mkv").write_bytes(content)
    with pytest.raises(SourceError, match="is not a recording's sidecar"):
        open_source(str(tmp_path / "x.mkv"))
