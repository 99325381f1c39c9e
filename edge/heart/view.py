"""Which apical view is on screen: the network's answer of each frame, smoothed and held, and what may be measured in
it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

VIEWS = ("A2C", "A3C", "A4C")
"""The order of the view classifier's outputs."""
SMOOTHING = 0.15
"""Weight of the newest frame: about a fifth of a second at 30 frames a second."""
ENTER, LEAVE = 0.8, 0.5
"""Smoothed probability above which a view is named, and below which it is no longer."""


CUT_PX = 64
DARK = 6
CUT_CORRELATION = 0.6
"""Correlation of two neighbouring pictures below which they show different scenes. Of nine synthetic loops, frames
three apart correlate by 0.85 or more, frames of different loops by 0.41 or less (`tests/edge/heart/test_view.py` holds
the sides apart)."""


@dataclass(frozen=True)
class ViewState:
    """`name` is one of VIEWS, or "" while no view is certain; `probability` is that of the likeliest, smoothed."""

    name: str
    probability: float


class ViewTracker:
    """Feed it each frame's probabilities (3 float32 in the order of VIEWS); it answers with hysteresis."""

    def __init__(self) -> None:
        self._smooth: NDArray[np.float64] | None = None
        self._held = ""

    def update(self, probabilities: NDArray[np.floating]) -> ViewState:
        """Take one frame. A frame whose probabilities are not finite changes nothing."""
        if np.isfinite(probabilities).all():
            new = np.asarray(probabilities, np.float64)
            if self._smooth is None:  # nothing is known before the first frame
                self._smooth = np.full(len(VIEWS), 1 / len(VIEWS))
            self._smooth = self._smooth + SMOOTHING * (new - self._smooth)
        if self._smooth is None:
            return ViewState("", 0.0)
        likeliest = int(np.argmax(self._smooth))
        if self._held and self._smooth[VIEWS.index(self._held)] < LEAVE:
            self._held = ""
        if self._smooth[likeliest] >= ENTER:
            self._held = VIEWS[likeliest]
        return ViewState(self._held, float(self._smooth[likeliest]))


class SceneCheck:
    """Feed it each network input; it says where a frame shows another scene than the one before.

    A beating heart at 30 frames a second changes little from frame to frame; another recording, patient or plane that
    starts without transition does not correlate.
    """

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None

    def is_cut(self, picture: NDArray[np.uint8]) -> bool:
        """Take one size x size uint8 picture."""
        # Without the last rows each cell is a whole number of pixels, which OpenCV averages four times as fast.
        whole = len(picture) // CUT_PX * CUT_PX or len(picture)
        cells = cv2.resize(picture[:whole, :whole], (CUT_PX, CUT_PX), interpolation=cv2.INTER_AREA)
        small = np.asarray(cells, np.float32)
        before, self._before = self._before, small
        if before is None:
            return False
        # Only where both have echoes: the black around the sector would make any two sectors alike.
        both = (small > DARK) & (before > DARK)
        if not both.any():
            return False
        one, other = (grey[both] - grey[both].mean() for grey in (small, before))
        power = float((one**2).sum() * (other**2).sum())
        # A picture of one colour correlates with nothing; the signal check deals with it.
        return power > 0 and float((one * other).sum()) / power**0.5 < CUT_CORRELATION
