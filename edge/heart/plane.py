"""The cut through the heart that a picture shows, and which way up it stands: names, hysteresis, words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Pixel = TypeVar("Pixel", np.uint8, np.bool_)

PLANES = ("A4C", "A2C", "A3C", "A5C", "PLAX", "PSAX", "subcostal", "other heart", "no heart")
"""The order of the plane head's outputs."""
APICAL = ("A4C", "A2C", "A3C", "A5C")
WORDS = {
    "PLAX": "PARASTERNAL LONG AXIS",
    "PSAX": "PARASTERNAL SHORT AXIS",
    "subcostal": "SUBCOSTAL VIEW",
    "other heart": "NO STANDARD VIEW",
    "no heart": "NO HEART SEEN",
}
SMOOTHING = 0.15
"""Weight of the newest frame: about a fifth of a second at 30 frames a second. The first frame stands for itself."""
APICAL_ON, APICAL_OFF = 0.6, 0.45
"""Smoothed probability of an apical plane above which the picture counts as one, and below which no longer."""
TURN_ON, TURN_OFF = 0.7, 0.3
"""The same for mirrored and upside down."""
NAMED_ON, NAMED_OFF = 0.6, 0.4
"""The same for the name of an apical view."""
CERTAIN = 0.8
"""From this on a plane speaks against the operator's word."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What the head answers for one picture: `planes` float in the order of PLANES, and two probabilities."""

    planes: NDArray[np.floating]
    mirrored: float
    upside_down: float


@dataclass(frozen=True)
class Turn:
    """How a picture stands: `mirrored` left to right, `upside_down` with the probe at the bottom."""

    mirrored: bool = False
    upside_down: bool = False

    def of(self, picture: NDArray[Pixel]) -> NDArray[Pixel]:
        """A rows x columns picture flipped so; the same again gives the first picture."""
        return picture[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]

    def points(self, points: NDArray[np.float64], size_px: int) -> NDArray[np.float64]:
        """N x 2 (x, y) pixels of a square of `size_px`, flipped so."""
        sign = np.array((-1 if self.mirrored else 1, -1 if self.upside_down else 1))
        return np.asarray(points * sign + np.where(sign < 0, size_px - 1, 0), np.float64)

    def then(self, other: Turn) -> Turn:
        """Both, one after the other."""
        return Turn(self.mirrored != other.mirrored, self.upside_down != other.upside_down)

    def __str__(self) -> str:
        both = (("mirrored left to right", self.mirrored), ("upside down", self.upside_down))
        return " and ".join(word for word, holds in both if holds)


UPRIGHT = Turn()


def given_turn(mirrored: bool, upside_down: bool) -> Turn | None:
    """What an operator says of a picture, None where nothing is said: then the picture tells."""
    return Turn(mirrored, upside_down) if mirrored or upside_down else None


@dataclass(frozen=True)
class Plane:
    """`name` is the likeliest of PLANES, `probability` its smoothed one. With hysteresis: `view`, one of APICAL or ""
    while none is certain, `is_apical` and `turn`.
    """

    name: str
    probability: float
    view: str
    is_apical: bool
    turn: Turn

    @property
    def problem(self) -> str:
        """Why nothing is measured in this picture, in words for the screen; "" where it is apical."""
        if self.is_apical:
            return ""
        if self.name in APICAL:
            return "VIEW NOT CERTAIN: nothing is measured; hold still"
        return f"{WORDS[self.name]}: no apical view, nothing is measured"

    def contradicts(self, view: str) -> str:
        """Why this picture is not the `view` that the operator named, "" where it may be."""
        if self.name == view or not self.is_apical or self.probability < CERTAIN:
            return ""
        return (
            f"the picture looks like {self.name} ({100 * self.probability:.0f} %), not {view}: --view {view}! insists"
        )


class PlaneTracker:
    """Feed it what the head answers for each frame. The frames are those shown, turned by the last answer's `turn`."""

    def __init__(self) -> None:
        self._planes: NDArray[np.float64] | None = None
        self._turns = np.zeros(2)
        self._is_apical, self._view = False, ""
        self.turn = UPRIGHT

    def update(self, looked: Looked) -> Plane | None:
        """Take one frame. One whose numbers are not finite changes nothing; None before the first."""
        seen = np.array((looked.mirrored, looked.upside_down), np.float64)
        if np.isfinite(looked.planes).all() and np.isfinite(seen).all():
            held = np.array((self.turn.mirrored, self.turn.upside_down))
            seen = np.where(held, 1 - seen, seen)  # of the picture before it was turned
            planes = np.asarray(looked.planes, np.float64)
            weight = SMOOTHING if self._planes is not None else 1.0
            self._planes = planes if self._planes is None else self._planes + weight * (planes - self._planes)
            self._turns = self._turns + weight * (seen - self._turns)
            self._settle(held)
        if self._planes is None:
            return None
        likeliest = int(np.argmax(self._planes))
        return Plane(PLANES[likeliest], float(self._planes[likeliest]), self._view, self._is_apical, self.turn)

    def _settle(self, held: NDArray[np.bool_]) -> None:
        assert self._planes is not None
        apical = float(self._planes[: len(APICAL)].sum())
        self._is_apical = apical > (APICAL_OFF if self._is_apical else APICAL_ON)
        likeliest = int(np.argmax(self._planes[: len(APICAL)]))
        if self._view and self._planes[PLANES.index(self._view)] < NAMED_OFF:
            self._view = ""
        if self._planes[likeliest] > NAMED_ON:
            self._view = APICAL[likeliest]
        mirrored, upside_down = self._turns > np.where(held, TURN_OFF, TURN_ON)
        self.turn = Turn(bool(mirrored), bool(upside_down))
