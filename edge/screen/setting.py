"""What a stretch of frames is analysed with, so that a recording without the screen can be analysed the same way."""

from __future__ import annotations

from dataclasses import dataclass

from edge.heart.plane import Turn
from edge.screen.scale import Scale
from edge.screen.sector import Fan, Sector, box_of, fan_mask


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where the sector was found on the screen, what its ticks said, and the depth in cm that was given (0: none), or
    insisted on."""

    fan: Fan
    scale: Scale
    depth_cm: float = 0.0
    insists: bool = False

    def sector(self, shape: tuple[int, int]) -> Sector:
        """The sector on a frame of `shape` (height, width)."""
        mask = fan_mask(self.fan, shape)
        return Sector(box_of(mask), mask, self.fan)


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What was decided about a frame before the networks saw it.

    `problem` says why it is not analysed, "" where it is; `quality` whether the quality net sees it, else the last
    scores stay if `keeps_scores`. `setting` is None as long as no sector was found. `view` and `turn` are the
    operator's, the latter None where nobody said how the picture stands; `patient` counts those of the run.
    """

    problem: str
    quality: bool = True
    keeps_scores: bool = True
    view: str = ""
    patient: int = 0
    setting: Setting | None = None
    turn: Turn | None = None
