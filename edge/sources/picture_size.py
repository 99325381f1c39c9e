"""The size of a picture from its first bytes, so that no memory is taken for one that no scanner makes."""

from __future__ import annotations

import struct
from pathlib import Path

from edge.errors import SourceError

MAX_PIXELS = 64_000_000
"""64 megapixels: twice the largest screen that is sold (7680x4320). A picture of 32,000 x 32,000 would take 3 GB."""
HEAD_BYTES = 1 << 20
"""A JPEG's size may stand behind a thumbnail and a colour profile."""
WITHOUT_SIZE = {0x01, *range(0xD0, 0xDA)}
FRAME_MARKERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""JPEG's SOF0 to SOF15 (ITU-T T.81, table B.1) without DHT, JPG and DAC."""


def check_size(width: int, height: int, shown: str) -> None:
    """Raises SourceError for a picture above MAX_PIXELS."""
    if width * height > MAX_PIXELS:
        raise SourceError(
            f"{shown} is {width}x{height}, {width * height / 1e6:.0f} megapixels; "
            f"up to {MAX_PIXELS // 10**6} are read: scale it down"
        )


def check_picture(path: Path) -> None:
    """Raises SourceError where a picture's head declares more than MAX_PIXELS; other formats decode as they may."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    size = size_of(head)
    if size is not None:
        check_size(*size, str(path))


def size_of(head: bytes) -> tuple[int, int] | None:
    """(width, height) that a PNG, JPEG, BMP, WebP, TIFF or PNM declares, None where the head does not tell."""
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">2I", head, 16)
        elif head.startswith(b"\xff\xd8"):
            return _jpeg(head)
        elif head.startswith(b"BM"):
            width, height = struct.unpack_from("<2i", head, 18)
        elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
        elif head[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(head)
        elif head[:1] == b"P" and head[1:2] in b"123456":
            words = b" ".join(line.split(b"#")[0] for line in head[2:512].split(b"\n")).split()
            width, height = int(words[0]), int(words[1])
        else:
            return None
    except (struct.error, ValueError, IndexError):
        return None
    return abs(int(width)), abs(int(height))


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(head):
        if head[at] != 0xFF:
            return None
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in WITHOUT_SIZE:
            at += 2
        elif marker in FRAME_MARKERS:
            height, width = struct.unpack_from(">2H", head, at + 5)
            return width, height
        else:
            at += 2 + int(struct.unpack_from(">H", head, at + 2)[0])
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<2H", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff(head: bytes) -> tuple[int, int] | None:
    """Of the first page (TIFF 6.0, section 2); its directory may stand at the end of the file."""
    order = "<" if head[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", head, 4)[0]
    count = struct.unpack_from(order + "H", head, start)[0]
    found = {}
    for number in range(count):
        at = start + 2 + 12 * number
        tag, kind = struct.unpack_from(order + "2H", head, at)
        if tag in (256, 257):
            found[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), head, at + 8)[0]
    return (found[256], found[257]) if len(found) == 2 else None
