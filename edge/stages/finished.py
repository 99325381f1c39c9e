"""What is handed over to drawing."""

from __future__ import annotations

from dataclasses import dataclass

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.refine.keyframe import Held
from edge.sources import Captured


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What inference hands to drawing: a frame with its analysis, or with the reason why it has none.

    `best` is the best of the run so far; `refined` a key frame that may be shown beside this one, for a frame without
    analysis the frozen picture itself.
    """

    started_ns: int
    frame: Captured | None = None
    analysis: Analysis | None = None
    banner: str = ""
    notice: str = ""
    best: Best | None = None
    refined: Held | None = None
