"""Colours and letters of the picture."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.uint8]
Colour = tuple[int, int, int]

QUALITY_WORDS = ("not visible", "poor", "ok", "good", "excellent")
QUALITY_COLOURS: tuple[Colour, ...] = (
    (200, 30, 60),
    (245, 150, 40),
    (255, 240, 150),
    (110, 180, 240),
    (20, 70, 200),
)
"""From red over yellow to blue, and lightest in the middle: apart for people who do not tell red from green, too."""
HATCH = 9
"""What is not visible is hatched: a line every so many pixels."""
CONTOUR: Colour = (0, 229, 255)
TEXT: Colour = (235, 235, 235)
DIM: Colour = (150, 150, 150)
GRID: Colour = (60, 60, 60)
REFINED: Colour = (214, 120, 255)
AMBER: Colour = (255, 200, 90)
BANNER: Colour = (178, 34, 34)
BACKGROUND = 12
"""Grey behind curve and figures."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
NOTICE = "Research use only"


def quality_colour(score: float) -> Colour:
    """Colour of a score 1-5, rounded to its level."""
    return QUALITY_COLOURS[min(max(round(float(score)), 1), 5) - 1]


def text(
    canvas: Canvas, words: str, at: tuple[int, int], colour: Colour, size: float = 0.48, thickness: int = 1
) -> int:
    """Write words with their baseline's left end at (x, y); the x where they end."""
    cv2.putText(canvas, words, at, FONT, size, colour, thickness, cv2.LINE_AA)
    return at[0] + width_of(words, size, thickness)


# Most words stand on every picture, and OpenCV's own measure of them takes as long as writing them.
@lru_cache(maxsize=512)
def width_of(words: str, size: float = 0.48, thickness: int = 1) -> int:
    """Width in px."""
    return int(cv2.getTextSize(words, FONT, size, thickness)[0][0])


def smooth_line(canvas: Canvas, points: NDArray[np.float64], closed: bool) -> None:
    """A line two pixels wide through N x 2 (x, y) points, in the colour of contours.

    Three thin ones side by side: OpenCV takes twice as long for a wide one with smooth edges.
    """
    eighths = np.round(points * 8).astype(np.int32)
    for dx, dy in ((0, -4), (4, 3), (-4, 3)):
        cv2.polylines(canvas, [eighths + np.array((dx, dy), np.int32)], closed, CONTOUR, 1, cv2.LINE_AA, shift=3)


class Cell:
    """A rectangle of the canvas that is drawn again only when it says something else: letters cost more than echo."""

    def __init__(self, region: Canvas, background: int) -> None:
        self.region, self._background = region, background
        self._says: Hashable = None

    def changes(self, says: Hashable) -> bool:
        """Whether this is not what stands there; the rectangle is cleared for it then. None stands for nothing."""
        if says == self._says:
            return False
        self._says = says
        self.region[:] = self._background
        return says is not None


def wrapped(words: str, width_px: int, size: float = 0.48) -> list[str]:
    """Lines that are each at most width_px wide, broken between words."""
    lines: list[str] = []
    for word in words.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= width_px:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def labelled(picture: Canvas, label: str) -> Canvas:
    """A copy with the operator's words in the middle of its top line."""
    out: Canvas = picture.copy()
    text(out, label, ((picture.shape[1] - width_of(label, 0.55)) // 2, 21), TEXT, 0.55)
    return out
