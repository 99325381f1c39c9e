"""What a window alone draws over the picture: help, a held picture's mark, notes, the scanner's whole screen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from edge.picture.layout import HEIGHT, Rectangle, fitted
from edge.picture.palette import AMBER, CONTOUR, DIM, TEXT, Canvas, text, width_of

DARK = 0.25
"""What is left of the picture's brightness behind words."""


def draw_help(picture: Canvas, keys: Sequence[tuple[str, str]]) -> None:
    """The keys and what they do, in the middle; in place, as all here."""
    unit = picture.shape[0] / HEIGHT
    size, step = 0.6 * unit, round(30 * unit)
    width = round(110 * unit) + max(width_of(words, size) for _, words in keys) + round(24 * unit)
    height = step * len(keys) + round(64 * unit)
    left, top = (picture.shape[1] - width) // 2, max(0, (picture.shape[0] - height) // 2)
    box = _darkened(picture, (left, top, left + width, top + height))
    text(box, "Keys", (round(20 * unit), round(34 * unit)), CONTOUR, 0.7 * unit)
    for row, (key, words) in enumerate(keys):
        y = round(70 * unit) + step * row
        text(box, key, (round(20 * unit), y), AMBER, size)
        text(box, words, (round(110 * unit), y), TEXT, size)


def draw_held(picture: Canvas, seconds: float) -> None:
    """A band that says that this is not the present."""
    unit = picture.shape[0] / HEIGHT
    words = f"HELD for {seconds:.0f} s: not the present picture; space goes on"
    _draw_band(picture, words, round(40 * unit), unit)


def draw_note(picture: Canvas, words: str) -> None:
    """A line above the foot."""
    unit = picture.shape[0] / HEIGHT
    _draw_band(picture, words, picture.shape[0] - round(70 * unit), unit)


def _draw_band(picture: Canvas, words: str, top: int, unit: float) -> None:
    size = 0.6 * unit
    width = width_of(words, size) + round(40 * unit)
    left = max(0, (picture.shape[1] - width) // 2)
    box = _darkened(picture, (left, top, left + width, top + round(34 * unit)))
    text(box, words, (round(20 * unit), round(23 * unit)), AMBER, size)


def draw_screen(picture: Canvas, screen: Canvas, side: Rectangle) -> None:
    """The scanner's whole screen (HxW or HxWx3) where the untouched picture stands (x0, y0, x1, y1 at 1280x720)."""
    unit = picture.shape[0] / HEIGHT
    x0, y0, x1, y1 = (round(edge * unit) for edge in side)
    scale = min((x1 - x0) / screen.shape[1], (y1 - y0) / screen.shape[0])
    width, height = max(1, round(screen.shape[1] * scale)), max(1, round(screen.shape[0] * scale))
    left, top = (x0 + x1 - width) // 2, (y0 + y1 - height) // 2
    picture[y0:y1, x0:x1] = 0
    picture[top : top + height, left : left + width] = fitted(screen, (width, height))
    text(picture, "whole screen, on this window only", (x0 + round(8 * unit), y1 - round(8 * unit)), DIM, 0.4 * unit)


def _darkened(picture: Canvas, at: Rectangle) -> Canvas:
    x0, y0, x1, y1 = at
    box = picture[y0:y1, x0:x1]
    cv2.convertScaleAbs(box, box, DARK, 0)
    return box
