"""MP4 that can be read while it is written: short fragments, and after a disk that was full no half one."""

from __future__ import annotations

import struct
from pathlib import Path

import av

FRAGMENT_US = 250_000
"""What a power cut costs at most, beside what the encoder holds."""
HYBRID_SINCE = 62
"""libavformat's major version (FFmpeg 8) from which on the fragments become one ordinary file at the end."""


def container_options() -> dict[str, str]:
    """For the mp4 muxer."""
    is_hybrid = av.library_versions["libavformat"][0] >= HYBRID_SINCE
    flags = "hybrid_fragmented" if is_hybrid else "empty_moov+default_base_moof"
    return {"movflags": f"{flags}+frag_keyframe", "frag_duration": str(FRAGMENT_US), "flush_packets": "1"}


def drop_half_fragment(path: Path) -> None:
    """Cut a file that broke off behind its last whole fragment. One that is not fragmented stays as it is."""
    size, at, whole = path.stat().st_size, 0, 0
    with path.open("r+b") as file:
        while at + 8 <= size:
            file.seek(at)
            length, kind = struct.unpack(">I4s", file.read(8))
            if length == 1:
                length = struct.unpack(">Q", file.read(8))[0]
            if length < 8 or at + length > size:
                break
            at += length
            if kind in (b"moov", b"mdat"):
                whole = at
        if whole:
            file.truncate(whole)
