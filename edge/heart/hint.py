"""What the operator might do about the picture, in plain words.

Where a remedy comes from: left lateral position, breath held at the end of expiration, the neighbouring rib space and
the foreshortened apex are scanning practice as taught (Mitchell et al. 2019, ASE, Guidelines for Performing a
Comprehensive Transthoracic Echocardiographic Examination in Adults); near gain, focus, frequency and depth follow from
how the picture is made. Which remedy is named for which region is convention: no study was made whether following it
helps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.heart.regions import WALLS
from edge.heart.steady import Steady
from edge.heart.visibility import Visibility

SHOW_S, CLEAR_S = 1.0, 1.0
WORDS = ("not visible", "poor")
SIDES = ((0, 1, 2), (5, 4, 3))
"""The segments of each wall, left and right, from base to apex."""
PLACES = ("basal", "mid", "apical")
APICAL, BASE = (2, 3), (6, 7)
MOST = 5
"""This many poor regions are not the fault of one wall."""
BEHIND_LUNG = ("lateral", "anterior")
"""Walls next to the left lung."""

ALL = "more gel, left lateral position, breath held after expiration"
LUNG = "breath held after expiration, or the probe further to the side"
WALL = "a slight tilt, or the next rib space"
APEX = "less near gain, focus at the apex, or one rib space lower"
DEEP = "more gain at depth, a deeper focus, or a lower frequency"
TOWARDS = "a tilt towards it, or a wider sector"
DEPTH = "more depth"
WINDOW = "left lateral position, probe at the apex beat"
WHOLE = "the whole ventricle in the sector, probe at the apex beat"


@dataclass(frozen=True)
class Hint:
    """`subject` names the region or wall, `problem` what is wrong with it, `remedy` what to try; `level` is its score
    1-5.
    """

    subject: str
    problem: str
    remedy: str
    level: float = field(compare=False)

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}; try {self.remedy}"


class Advisor:
    """One hint at a time. It stays while its cause comes back within SHOW_S, and goes after CLEAR_S without any."""

    def __init__(self, view: str) -> None:
        self.see(view)
        self._shown: Steady[Hint | None] = Steady(None, SHOW_S, CLEAR_S)

    def see(self, view: str) -> None:
        """The view from now on, which names the walls."""
        self._walls = WALLS.get(view, ("left", "right"))

    def update(self, time_s: float, visibility: Visibility, reason: str) -> Hint | None:
        """The hint to show now. `reason`: why regions are not measurable, or ""."""
        return self._shown.update(time_s, advice(visibility, self._walls, reason))


def advice(visibility: Visibility, walls: tuple[str, str], reason: str = "") -> Hint | None:
    """The hint for one moment: about the view, then most walls, then the worst region with its poor neighbours."""
    if reason:
        return Hint("view", "walls not measurable", WINDOW if "no left ventricle" in reason else WHOLE, 1.0)
    poor, outside, levels = visibility.poor, visibility.outside, visibility.levels
    if not poor.any():
        return None
    if poor.sum() >= MOST and not outside.any():
        level = float(np.median(levels))
        return Hint("most walls", _word(level), ALL, level)
    worst = int(np.argmin(np.where(poor, levels, np.inf)))
    subject, remedy = _at_base(poor, worst, walls) if worst in BASE else _at_wall(poor, worst, walls)
    if outside[worst]:
        return Hint(subject, "outside the sector", DEPTH if worst in BASE else TOWARDS, float(levels[worst]))
    return Hint(subject, _word(float(levels[worst])), remedy, float(levels[worst]))


def _at_base(poor: NDArray[np.bool_], worst: int, walls: tuple[str, str]) -> tuple[str, str]:
    return ("annulus" if poor[list(BASE)].all() else f"{walls[BASE.index(worst)]} annulus"), DEEP


def _at_wall(poor: NDArray[np.bool_], worst: int, walls: tuple[str, str]) -> tuple[str, str]:
    side = 0 if worst in SIDES[0] else 1
    segments, wall = SIDES[side], walls[side]
    if worst in APICAL and poor[list(APICAL)].all() and not poor[list(segments)].all():
        return "apex", APEX
    if poor[list(segments)].sum() > 1:
        return f"{wall} wall", LUNG if wall in BEHIND_LUNG else WALL
    place = segments.index(worst)
    return f"{PLACES[place]} {wall}", APEX if worst in APICAL else LUNG if wall in BEHIND_LUNG else WALL


def _word(level: float) -> str:
    return WORDS[int(np.clip(round(level), 1, 2)) - 1]
