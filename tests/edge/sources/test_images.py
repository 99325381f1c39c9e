"""Files of many pictures, names with numbers, and pictures that are too large."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import SourceError
from edge.sources import open_source
from edge.sources.natural import natural_order
from edge.sources.picture_size import size_of
from tests.edge.sources.recordings import pictures


def test_every_page_of_a_tiff_is_a_frame(tmp_path: Path) -> None:
    frames = pictures(7)
    cv2.imwritemulti(str(tmp_path / "stack.tif"), [f[..., ::-1] for f in frames])
    with open_source(str(tmp_path / "stack.tif")) as source:
        assert source.frames == 7
        found = [f.image for f in source]
    assert np.array_equal(np.stack(found), np.stack(frames))


def test_pages_of_stacks_in_a_folder_follow_each_other(tmp_path: Path) -> None:
    grey = pictures(6, colour=False)
    for number, part in ((2, grey[3:]), (1, grey[:3])):
        cv2.imwritemulti(str(tmp_path / f"part{number}.tiff"), part)
    with open_source(str(tmp_path)) as source:
        assert np.array_equal(np.stack([f.image for f in source]), np.stack(grey))


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_an_animation_is_refused_and_not_cut_to_its_first_picture(tmp_path: Path, kind: str) -> None:
    image = pytest.importorskip("PIL.Image", reason="pip install pillow")
    first, *others = [image.fromarray(f) for f in pictures(4)]
    first.save(tmp_path / f"loop.{kind}", save_all=True, append_images=others)
    with pytest.raises(SourceError, match="is an animated"):
        open_source(str(tmp_path / f"loop.{kind}"))


def test_a_text_is_not_a_video(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("one line\n" * 400)
    with pytest.raises(SourceError, match="holds no video stream"):
        open_source(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize(
    ("first", "second"),
    [("f2", "f10"), ("f999999", "f1000000"), ("f0002", "f10"), ("a1b9", "a1b10"), ("x²1", "x²10")],
)
def test_numbers_in_names_count_as_numbers(first: str, second: str) -> None:
    assert natural_order(first) < natural_order(second)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(side: int) -> bytes:
    head = chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def huge_bmp(side: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, side, -side, 1, 24, *[0] * 6)


def huge_jpeg(side: int) -> bytes:
    app = b"\xff\xe1" + struct.pack(">H", 40_002) + bytes(40_000)
    return b"\xff\xd8" + app + b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, side, side, 1) + bytes(20)


def huge_pgm(side: int) -> bytes:
    return b"P5\n# by hand\n%d %d\n255\n" % (side, side)


@pytest.mark.parametrize(
    ("name", "make"), [("a.png", huge_png), ("a.bmp", huge_bmp), ("a.jpg", huge_jpeg), ("a.pgm", huge_pgm)]
)
def test_a_picture_larger_than_any_screen_is_refused_by_its_head(tmp_path: Path, name: str, make: object) -> None:
    (tmp_path / name).write_bytes(make(32_000))  # type: ignore[operator]
    with (
        pytest.raises(SourceError, match=r"32000x32000, 1024 megapixels; up to 64"),
        open_source(str(tmp_path / name)) as s,
    ):
        list(s)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif", ".pgm"])
def test_sizes_are_read_from_heads(tmp_path: Path, suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"a{suffix}"), np.zeros((37, 53), np.uint8))
    assert size_of((tmp_path / f"a{suffix}").read_bytes()) == (53, 37)


@pytest.mark.parametrize("head", [b"", b"\xff\xd8", b"II*\0", b"P5\nwide high\n", b"BM", b"\x89PNG"])
def test_a_head_that_tells_nothing_is_no_error(head: bytes) -> None:
    assert size_of(head) is None
