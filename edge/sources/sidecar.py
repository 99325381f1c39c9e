"""What a recording of a live run holds beside its video."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.errors import SourceError


class FrameRow(msgspec.Struct, frozen=True, array_like=True):
    """One recorded frame: number and times as captured, whether the quality net saw it, a scale of its own."""

    number: int
    captured_ns: int
    time_s: float
    quality: bool
    spacing_mm: tuple[float, float] | None = None


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The recording's source without credentials, rate, scale, echo area, frames; `note` says what is missing."""

    uri: str
    fps: float
    spacing_mm: tuple[float, float] | None
    region: tuple[int, int, int, int] | None
    frames: tuple[FrameRow, ...]
    note: str = ""
    schema: int = 1


def sidecar_path(video: Path) -> Path:
    """NAME.mkv -> NAME.mkv.json"""
    return video.with_name(video.name + ".json")


def read_sidecar(video: Path) -> Sidecar | None:
    """The sidecar of a video, None where it has none. Raises SourceError for one that is damaged."""
    path = sidecar_path(video)
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Sidecar)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise SourceError(f"{path} is no recording's sidecar ({error}); delete it to play the video alone") from error
