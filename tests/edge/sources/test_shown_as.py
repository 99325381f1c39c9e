"""Pictures are turned, mirrored, widened and deinterlaced as their file says that they are to be shown."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.sources import open_source
from edge.sources.combs import FINER, comb_ratio
from edge.sources.shown import EXIF, Turn, square_pixels, stretch_of
from tests.edge.sources.recordings import INTERLACED_DCT, INTERLACED_ME, pictures, write_video

ONE = 1 << 16
MATRICES = {  # a, b, c, d of x' = a x + c y, y' = b x + d y
    (1, 0, 0, 1): Turn(),
    (-1, 0, 0, -1): Turn(mirror=True, flip=True),
    (0, 1, -1, 0): Turn(swap=True, mirror=True),
    (0, -1, 1, 0): Turn(swap=True, flip=True),
    (-1, 0, 0, 1): Turn(mirror=True),
    (1, 0, 0, -1): Turn(flip=True),
    (0, 1, 1, 0): Turn(swap=True),
}


def with_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write a display matrix into an MP4's track header."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def first_of(path: Path) -> NDArray[np.uint8]:
    with open_source(str(path)) as source:
        return next(iter(source)).image.copy()


@pytest.mark.parametrize(("matrix", "turn"), MATRICES.items(), ids=str)
def test_the_display_matrix_of_a_video(tmp_path: Path, matrix: tuple[int, int, int, int], turn: Turn) -> None:
    path = tmp_path / "phone.mp4"
    write_video(path, pictures(3))
    with_matrix(path, 1, 0, 0, 1)
    stored = first_of(path)
    with_matrix(path, *matrix)
    height, width = stored.shape[:2]
    ys, xs = np.mgrid[:height, :width]
    a, b, c, d = matrix
    across, down = a * xs + c * ys, b * xs + d * ys
    expected = np.zeros_like(turn.apply(stored))
    expected[down - down.min(), across - across.min()] = stored
    assert np.array_equal(first_of(path), expected)


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_the_orientation_of_a_picture(tmp_path: Path, number: int, suffix: str) -> None:
    image = pytest.importorskip("PIL.Image", reason="pip install pillow")
    upright, path = pictures(1, colour=False)[0], tmp_path / f"scan{suffix}"
    turn = EXIF[number]
    there = [t for t in EXIF.values() if np.array_equal(turn.apply(t.apply(upright)), upright)]
    laid = image.fromarray(there[0].apply(upright))
    if suffix == ".jpg":
        exif = image.Exif()
        exif[0x0112] = number
        laid.save(path, exif=exif, quality=98)
    else:
        laid.save(path, tiffinfo={0x0112: number})
    found = first_of(path)
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).mean() < 2


@pytest.mark.parametrize(("aspect", "squeezed"), [(Fraction(16, 9), (72, 96)), (Fraction(1, 2), (128, 48))])
def test_pixels_that_are_not_square_are_made_so(tmp_path: Path, aspect: Fraction, squeezed: tuple[int, int]) -> None:
    path, frames = tmp_path / "wide.mkv", pictures(3)
    write_video(path, [cv2.resize(f, squeezed, interpolation=cv2.INTER_AREA) for f in frames], aspect=aspect)
    found = first_of(path)
    assert found.shape == frames[0].shape
    assert np.abs(found[..., 0].astype(int) - frames[0][..., 0]).mean() < 6


@pytest.mark.parametrize(("ratio", "stretch"), [(None, 1), (0, 1), (1.001, 1), (100, 1), (0.01, 1), (1.5, 1.5)])
def test_impossible_pixels_are_taken_for_square(ratio: float | None, stretch: float) -> None:
    assert stretch_of(ratio) == stretch
    image = pictures(1)[0]
    assert square_pixels(image, stretch).shape[1] == image.shape[1] * stretch


def combing(image: NDArray[np.uint8]) -> float:
    grey = image[..., 0].astype(int)
    return float(np.abs(2 * grey[1:-1:2] - grey[:-2:2] - grey[2::2]).mean())


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", ".mp4"), ("mpeg2video", ".mpg")])
def test_the_fields_of_interlaced_video_are_woven_together(tmp_path: Path, codec: str, suffix: str) -> None:
    fields = pictures(24)
    frames = [first.copy() for first in fields[::2]]
    for frame, second in zip(frames, fields[1::2]):
        frame[1::2] = second[1::2]
    path = tmp_path / f"grabber{suffix}"
    options = {"crf": "4"} if codec == "libx264" else {"b": "8000000"}
    write_video(path, frames, codec=codec, options=options, flags=INTERLACED_DCT | INTERLACED_ME)
    with open_source(str(path)) as source:
        captured = list(source)
    assert len(captured) == len(frames)
    assert [round(c.time_s, 3) for c in captured] == [round(n / 25, 3) for n in range(len(frames))]
    whole = combing(fields[10])
    assert combing(captured[5].image) - whole < 0.7 * (combing(frames[5]) - whole)


def moving(count: int, step_px: float, seed: int = 3) -> list[NDArray[np.uint8]]:
    """Speckle, text and a disc that move at this speed, RGB."""
    rng = np.random.default_rng(seed)
    speckle = cv2.GaussianBlur(rng.rayleigh(60, (400, 1200)).astype(np.float32), (0, 0), 1.2)
    large = np.clip(speckle, 0, 255).astype(np.uint8)
    cv2.circle(large, (500, 200), 70, 20, -1)
    cv2.putText(large, "ECHO 12 cm", (300, 150), cv2.FONT_HERSHEY_SIMPLEX, 1, 250, 2)
    frames = []
    for number in range(count):
        shifted = cv2.warpAffine(
            large, np.array([[1, 0, -number * step_px], [0, 1, -0.3 * number * step_px]]), (480, 300)
        )
        frames.append(np.repeat(shifted[..., None], 3, axis=2))
    return frames


def test_fields_that_nothing_tells_of_are_woven_together(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fields = moving(32, 3.0)
    frames = [first.copy() for first in fields[::2]]
    for frame, second in zip(frames, fields[1::2]):
        frame[1::2] = second[1::2]
    path = tmp_path / "grabber.mkv"
    write_video(path, frames, codec="libx264", options={"crf": "6"})
    with open_source(str(path)) as source:
        captured = list(source)
    assert "does not say so" in caplog.text
    assert len(captured) == len(frames)
    assert combing(captured[8].image) < 0.7 * combing(frames[8])


@pytest.mark.parametrize("step_px", [0.0, 0.5, 4.0, 15.0])
def test_whole_pictures_are_left_as_they_are(tmp_path: Path, step_px: float) -> None:
    frames = moving(14, step_px)
    path = tmp_path / "whole.mkv"
    write_video(path, frames, codec="ffv1", options={})
    with open_source(str(path)) as source:
        captured = [frame.image.copy() for frame in source]
    assert len(captured) == len(frames)
    assert all(np.abs(one.astype(int) - other).max() <= 3 for one, other in zip(captured, frames))


def test_the_real_loop_and_an_image_of_lines_show_no_comb(sonosite: str) -> None:
    from pydicom.pixels import pixel_array

    loop = [frame[..., 1].astype(np.int16) for frame in pixel_array(sonosite)]
    ratios = [comb_ratio(now, before) for before, now in pairwise(loop)]
    assert max(ratio for ratio in ratios if ratio is not None) < FINER
    lines = np.zeros((200, 300), np.int16)
    lines[::2] = 200
    assert comb_ratio(lines, lines) is None
