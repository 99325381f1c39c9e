"""Colours and letters of the picture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Canvas = NDArray[np.uint8]
Colour = tuple[int, int, int]

QUALITY_WORDS = ("not visible", "poor", "ok", "good", "excellent")
QUALITY_COLOURS: tuple[Colour, ...] = (
    (215, 48, 39),
    (252, 141, 89),
    (254, 224, 100),
    (145, 207, 96),
    (26, 152, 80),
)
CONTOUR: Colour = (0, 229, 255)
TEXT: Colour = (235, 235, 235)
DIM: Colour = (150, 150, 150)
GRID: Colour = (60, 60, 60)
REFINED: Colour = (214, 120, 255)
AMBER: Colour = (255, 200, 90)
BANNER: Colour = (178, 34, 34)
FONT = cv2.FONT_HERSHEY_SIMPLEX
NOTICE = "Research use only"


def quality_colour(score: float) -> Colour:
    """Colour of a score 1-5, rounded to its level."""
    return QUALITY_COLOURS[min(max(round(float(score)), 1), 5) - 1]


def text(canvas: Canvas, words: str, at: tuple[int, int], colour: Colour, size: float = 0.48) -> int:
    """Write words with their baseline's left end at (x, y); the x where they end."""
    cv2.putText(canvas, words, at, FONT, size, colour, 1, cv2.LINE_AA)
    return at[0] + width_of(words, size)


@lru_cache(
    maxsize=512
)  # most words stand on every picture, and OpenCV's own measure of them takes as long as writing them
def width_of(words: str, size: float = 0.48) -> int:
    """Width in px."""
    return int(cv2.getTextSize(words, FONT, size, 1)[0][0])


def wrapped(words: str, width_px: int, size: float = 0.48) -> list[str]:
    """Lines that are each at most width_px wide, broken between words."""
    lines: list[str] = []
    for word in words.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= width_px:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
