"""Damaged and missing frames: counted, left out, and never the end of what is whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.sources import open_source
from edge.sources.base import Captured
from tests.edge.sources.recordings import coded, compressed, data_set, pictures, saved, write_video

FRAMES = pictures(24)
JPEGS = coded(pictures(6, colour=False), "mjpeg")
BASELINE = "1.2.840.10008.1.2.4.50"


def read(path: Path) -> tuple[list[Captured], int | None, int]:
    """(frames, how many were declared, how many are damaged)"""
    with open_source(str(path)) as source:
        return list(source), source.frames, source.damaged


def noise(count: int) -> bytes:
    return np.random.default_rng(7).integers(0, 256, count, np.uint8).tobytes()


@pytest.mark.parametrize("group", ["4", "250"])
def test_a_hole_in_a_video_costs_the_frames_up_to_the_next_key_frame(tmp_path: Path, group: str) -> None:
    path, whole = tmp_path / "hole.mp4", tmp_path / "whole.mp4"
    write_video(whole, FRAMES, options={"crf": "4", "g": group, "bf": "0"})
    data = bytearray(whole.read_bytes())
    middle = data.find(b"mdat") + (len(data) - data.find(b"mdat")) * 2 // 3
    data[middle : middle + 400] = noise(400)
    path.write_bytes(data)
    frames, declared, damaged = read(path)
    assert declared == len(FRAMES)
    assert damaged > 0
    assert len(frames) + damaged == len(FRAMES)
    assert len(frames) > (10 if group == "4" else 3)
    originals = {round(f.time_s * 25): f.image for f in read(whole)[0]}
    assert all(np.array_equal(f.image, originals[round(f.time_s * 25)]) for f in frames)


@pytest.mark.parametrize(("codec", "options"), [("mjpeg", {"q": "2"}), ("mpeg2video", {"b": "4000000", "g": "4"})])
def test_damage_that_a_decoder_would_hide_is_seen(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    path = tmp_path / "hidden.avi"
    write_video(path, FRAMES, codec=codec, options=options)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60] = noise(60)
    path.write_bytes(data)
    frames, _, damaged = read(path)
    assert damaged > 0
    assert 3 < len(frames) < len(FRAMES)


def test_a_video_that_was_cut_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    write_video(tmp_path / "whole.mp4", FRAMES, options={"crf": "4", "movflags": "faststart"})
    data = (tmp_path / "whole.mp4").read_bytes()
    index, pixels = data.find(b"moov"), data.find(b"mdat")
    if pixels < index:  # the index stands at the end: without it nothing can be read
        path.write_bytes(data[: len(data) * 2 // 3])
        with pytest.raises(SourceError, match="is no video that FFmpeg can read"):
            read(path)
        return
    path.write_bytes(data[: len(data) * 2 // 3])
    frames, declared, damaged = read(path)
    assert declared == len(FRAMES)
    assert damaged == declared - len(frames) > 0


def test_frames_before_the_beginning_of_an_edit_list_are_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "trimmed.mp4"
    write_video(path, FRAMES, options={"crf": "4", "bf": "2"})
    frames, declared, damaged = read(path)
    assert (len(frames), declared, damaged) == (len(FRAMES), len(FRAMES), 0)
    assert frames[0].time_s == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda jpeg: jpeg[:200] + b"\xff\xd9",
        lambda jpeg: jpeg[: len(jpeg) // 2] + b"\xff\xd9",
        lambda jpeg: jpeg[: len(jpeg) // 2],
        lambda jpeg: b"\0\0",
        lambda jpeg: noise(500),
    ],
    ids=["head only", "half, closed", "half", "empty", "noise"],
)
def test_one_damaged_frame_of_a_dicom_file_is_left_out(tmp_path: Path, damage: object) -> None:
    jpegs = [*JPEGS[:3], damage(JPEGS[3]), *JPEGS[4:]]  # type: ignore[operator]
    data = compressed(data_set(pictures(6, colour=False)), jpegs, BASELINE)
    frames, declared, damaged = read(saved(data, tmp_path / "a.dcm"))
    assert (declared, damaged) == (6, 1)
    assert [f.number for f in frames] == [0, 1, 2, 4, 5]
    assert [f.time_s for f in frames] == pytest.approx([0, 0.02, 0.04, 0.08, 0.1])


def test_a_dicom_file_without_one_whole_frame_is_refused(tmp_path: Path) -> None:
    data = compressed(data_set(pictures(2, colour=False)), [noise(300), noise(300)], BASELINE)
    with pytest.raises(SourceError, match=r"frame 1 of 2 \(JPEG Baseline.*damaged or truncated"):
        read(saved(data, tmp_path / "a.dcm"))


def test_what_is_there_of_a_short_uncompressed_file_is_read(tmp_path: Path) -> None:
    grey = pictures(5, colour=False)
    data = data_set(grey)
    data.PixelData = data.PixelData[:-20_000]
    frames, declared, damaged = read(saved(data, tmp_path / "a.dcm"))
    assert (len(frames), declared, damaged) == (3, 5, 2)
    assert all(np.array_equal(f.image, picture) for f, picture in zip(frames, grey))


def test_a_damaged_picture_of_a_folder_is_left_out(tmp_path: Path) -> None:
    for number, jpeg in enumerate(JPEGS):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg if number != 2 else jpeg[: len(jpeg) // 2] + b"\xff\xd9")
    frames, declared, damaged = read(tmp_path)
    assert (len(frames), declared, damaged) == (5, 6, 1)
    assert [f.number for f in frames] == [0, 1, 3, 4, 5]


def test_times_of_uneven_video_are_its_own(tmp_path: Path) -> None:
    times = [0, 40, 60, 300, 320, 900]
    write_video(tmp_path / "uneven.mkv", FRAMES[:6], times=times, options={"crf": "4", "bf": "0"})
    frames, *_ = read(tmp_path / "uneven.mkv")
    assert [f.time_s for f in frames] == pytest.approx([t / 1000 for t in times], abs=1e-3)


def test_numbers_of_two_readings_agree(tmp_path: Path) -> None:
    path = tmp_path / "twice.mp4"
    write_video(path, FRAMES)
    with open_source(str(path)) as source:
        counts: list[list[NDArray[np.uint8]]] = [[f.image for f in source] for _ in range(2)]
    assert [len(found) for found in counts] == [len(FRAMES)] * 2
