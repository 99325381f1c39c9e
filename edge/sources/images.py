"""A picture, a file of many pictures, or a folder of pictures in the order of their names."""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.dicom.codestream import is_whole
from edge.errors import SourceError
from edge.preprocess import Frame
from edge.sources.base import Captured
from edge.sources.natural import natural_order
from edge.sources.picture_size import check_picture, check_size
from edge.sources.shown import EXIF, UPRIGHT, Turn
from edge.stated import Stated

log = logging.getLogger(__name__)

TIFF, JPEG = (".tif", ".tiff"), (".jpg", ".jpeg")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp"}
FPS = 30.0
ORIENTATION = 0x0112
"""The tag of Exif and TIFF."""


class ImageSource:
    """Pictures as frames at a nominal 30 fps, every page of a file of many; numbers in names count as numbers.

    All must have one size; they are turned as their Exif or TIFF orientation says. One that does not decode is left out
    and counted in `damaged`.
    """

    stated = Stated()
    region: tuple[int, int, int, int] | None = None
    fps = FPS

    def __init__(self, path: Path) -> None:
        self.uri = str(path)
        self.damaged = 0
        if path.is_dir():
            files = [f for f in path.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")]
            files.sort(key=lambda file: natural_order(file.name))
        else:
            files = [path]
        if not files:
            raise SourceError(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        self._pages = [(file, page) for file in files for page in range(pages_of(file))]
        self.frames: int | None = len(self._pages)

    def __iter__(self) -> Iterator[Captured]:
        shape, self.damaged = None, 0
        for number, (file, page) in enumerate(self._pages):
            captured_ns = time.monotonic_ns()
            check_picture(file)
            image = read_page(file, page)
            if image is None:
                self.damaged += 1
                log.warning("%s is damaged or no picture that OpenCV can read; it is left out", _named(file, page))
                continue
            if shape is not None and image.shape[:2] != shape:
                raise SourceError(
                    f"{_named(file, page)} is {image.shape[1]}x{image.shape[0]} but the first picture "
                    f"{shape[1]}x{shape[0]}; put pictures of one recording, all of one size, in a folder"
                )
            shape = image.shape[:2]
            yield Captured(number, image, captured_ns, number / FPS)
        if shape is None:
            raise SourceError(f"{self.uri} is damaged or no picture that OpenCV can read; copy it again")

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pages = []


def pages_of(file: Path) -> int:
    """How many pictures a file holds: the pages of a TIFF, else one. SourceError for an animated PNG or WebP."""
    if file.suffix.lower() in TIFF:
        check_picture(file)
        return max(1, cv2.imcount(str(file), cv2.IMREAD_UNCHANGED))
    with file.open("rb") as opened:
        head = opened.read(1 << 16)
    if head.startswith(b"\x89PNG") and b"acTL" in head.split(b"IDAT")[0]:
        raise SourceError(f"{file} is an animated PNG; convert it to a video: ffmpeg -i {file.name} loop.mkv")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and head[12:16] == b"VP8X" and head[20] & 2:
        raise SourceError(f"{file} is an animated WebP; convert it to a video, such as .mkv or .mp4")
    return 1


def read_page(file: Path, page: int) -> Frame | None:
    """One picture, upright, HxW or HxWx3 RGB uint8; None where it does not decode. SourceError for more than 8 bits."""
    flags, turn = cv2.IMREAD_UNCHANGED, orientation_of(file)
    try:
        if turn != UPRIGHT and file.suffix.lower() in TIFF:
            # OpenCV turns some of them and fails at others: it is given the file without its orientation.
            read, pages = cv2.imdecodemulti(
                np.frombuffer(_without_orientation(file), np.uint8), flags, range=(page, page + 1)
            )
            image = pages[0] if read and len(pages) else None
        elif page == 0:
            image = cv2.imread(str(file), flags)
        else:
            read, pages = cv2.imreadmulti(str(file), start=page, count=1, flags=flags)
            image = pages[0] if read and len(pages) else None
    except cv2.error:
        return None
    if image is None or (file.suffix.lower() in JPEG and not is_whole(file.read_bytes())):
        return None
    named = _named(file, page)
    if image.dtype != np.uint8:
        raise SourceError(f"{named} has {image.dtype} pixels; convert it to 8 bits first")
    check_size(image.shape[1], image.shape[0], named)
    return turn.apply(_rgb(np.asarray(image, np.uint8)))


def _rgb(image: NDArray[np.uint8]) -> Frame:
    if image.ndim == 2:
        return image
    if image.shape[2] == 1:
        return image[..., 0]
    to_rgb = cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, to_rgb), np.uint8)


def orientation_of(file: Path) -> Turn:
    """How a JPEG's Exif or a TIFF's first page says that it is to be shown; upright where it says nothing."""
    with file.open("rb") as opened:
        head = opened.read(1 << 16)
    tiff = head
    if head.startswith(b"\xff\xd8"):
        at = head.find(b"Exif\0\0")
        tiff = head[at + 6 :] if at > 0 else b""
    try:
        return EXIF.get(_orientation(tiff), UPRIGHT)
    except (struct.error, IndexError):
        return UPRIGHT


def _orientation(tiff: bytes) -> int:
    """What stands there, 1 where nothing does."""
    order, at = _orientation_at(tiff, *_head_of(tiff))
    return int(struct.unpack_from(order + "H", tiff, at)[0]) if at else 1


def _without_orientation(file: Path) -> bytes:
    tiff = bytearray(file.read_bytes())
    order, start = _head_of(tiff)
    while start:
        _, at = _orientation_at(tiff, order, start)
        if at:
            struct.pack_into(order + "H", tiff, at, 1)
        count = struct.unpack_from(order + "H", tiff, start)[0]
        start = struct.unpack_from(order + "I", tiff, start + 2 + 12 * count)[0]
    return bytes(tiff)


def _head_of(tiff: bytes | bytearray) -> tuple[str, int]:
    """(byte order, place of the first directory, 0 where it is no TIFF structure) (TIFF 6.0, section 2)."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]), "")
    return (order, int(struct.unpack_from(order + "I", tiff, 4)[0])) if order else ("<", 0)


def _orientation_at(tiff: bytes | bytearray, order: str, start: int) -> tuple[str, int]:
    """(byte order, where the orientation of a directory stands, 0 where it has none)."""
    for number in range(struct.unpack_from(order + "H", tiff, start)[0] if start else 0):
        at = start + 2 + 12 * number
        if struct.unpack_from(order + "H", tiff, at)[0] == ORIENTATION:
            return order, at + 8
    return order, 0


def _named(file: Path, page: int) -> str:
    return f"{file}, page {page + 1}" if page else str(file)
