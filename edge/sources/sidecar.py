"""What a recording holds beside its video."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge.errors import SourceError
from edge.heart.plane import Turn
from edge.screen.setting import Decided, Setting

SCHEMA = 3


class FrameRow(msgspec.Struct, frozen=True, array_like=True):
    """One recorded frame: number and times as captured, what was decided about it, and a scale of its own.

    The video holds no more of the screen than the sector, so sector and scale cannot be found again: `setting` is
    theirs on the first frame with it, None while it stays.
    """

    number: int
    captured_ns: int
    time_s: float
    problem: str
    quality: bool
    keeps_scores: bool
    view: str
    patient: int
    setting: Setting | None = None
    spacing_mm: tuple[float, float] | None = None
    stated_by: str = ""
    turn: Turn | None = None

    def decided(self, before: Setting | None) -> Decided:
        """What was decided, where `before` held on the frame before it."""
        return Decided(
            problem=self.problem,
            quality=self.quality,
            keeps_scores=self.keeps_scores,
            view=self.view,
            patient=self.patient,
            setting=self.setting or before,
            turn=self.turn,
        )


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was recorded: source without credentials, rate, scale and who stated it, echo area.

    In the file the first line holds these, each further line a frame, so that what is there can be replayed wherever
    it breaks off; a last line holds the `note` where the recording is incomplete.
    """

    uri: str
    fps: float
    spacing_mm: tuple[float, float] | None
    region: tuple[int, int, int, int] | None
    schema: int
    stated_by: str = ""
    frames: tuple[FrameRow, ...] = ()
    note: str = ""


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a recording ends before the run does."""

    note: str


def sidecar_path(video: Path) -> Path:
    """NAME.mkv -> NAME.mkv.json"""
    return video.with_name(video.name + ".json")


def read_sidecar(video: Path) -> Sidecar | None:
    """The sidecar of a video, None where it has none. Raises SourceError for one that is damaged or of another
    version.

    A last line that breaks off, as after a power cut, is left out.
    """
    path = sidecar_path(video)
    if not path.is_file():
        return None
    lines = path.read_bytes().split(b"\n")
    try:
        head = msgspec.json.decode(lines[0], type=Sidecar)
        frames = tuple(msgspec.json.decode(line, type=FrameRow) for line in lines[1:-1] if not line.startswith(b"{"))
        notes = [msgspec.json.decode(line, type=Note).note for line in lines[1:-1] if line.startswith(b"{")]
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise SourceError(
            f"{path} is not a recording's sidecar of this version ({error}); delete it to play the video alone"
        ) from error
    if head.schema != SCHEMA:
        raise SourceError(
            f"{path} has schema {head.schema}, this version reads {SCHEMA}; delete it to play the video alone"
        )
    return msgspec.structs.replace(head, frames=frames, note="; ".join(notes))
