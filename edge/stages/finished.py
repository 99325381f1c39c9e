"""What is handed over to drawing."""

from __future__ import annotations

from dataclasses import dataclass

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.preprocess import Frame
from edge.refine.keyframe import Held
from edge.sources import Captured


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What inference hands to drawing: a frame with its analysis, or with the reason why it has none.

    Of the screen nothing but the sector is left in `frame`; `extent` is the rectangle (x0, y0, x1, y1) around it, None
    as long as none is known. `screen` is the whole screen, None unless local windows show it. `best` is the best of
    the run so far; `refined` a key frame that may be shown beside this one, for a frame without analysis the frozen
    picture itself. `patient` counts those of the run.
    """

    started_ns: int
    frame: Captured | None = None
    analysis: Analysis | None = None
    banner: str = ""
    notice: str = ""
    best: Best | None = None
    refined: Held | None = None
    extent: tuple[int, int, int, int] | None = None
    screen: Frame | None = None
    patient: int = 0
