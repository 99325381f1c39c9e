"""Numbers on a scanner's screen, read by comparing each character with drawn ones: a reader of digits and of "cm",
which leaves out whatever it is not sure of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Frame

DIGITS, UNIT = "0123456789", "cm"
CHARACTERS = DIGITS + UNIT
TEMPLATES = Path(__file__).with_name("digits.npz")
"""Made by train/digits.py."""
SHAPE = (16, 12)
BRIGHT = 50
"""Grey levels above the screen's black that text has at least."""
HEIGHT, LEAST_PX = (0.009, 0.045), 6
"""Least and largest height of a digit, as shares of the screen's, and in pixels."""
ALIKE, AHEAD = 0.56, 0.05
"""Least likeness of a character, and by how much the next best is less alike. Who uses a number compares it with
others, or with what it may be: one that is misread now and then does no harm."""
ASPECT_COST = 0.45
"""What a character's likeness loses where it is e times as wide as the drawn one."""
GAP = 0.6
"""Characters of a word stand closer than this share of their height."""
UNIT_GAP = 0.35
"""A depth stands closer to its unit than this share of its height: a length that somebody measured, with a space."""
BASELINE = 0.17
"""By how much their feet may differ, as a share of their height."""
SMALL = 0.84
"""c and m are lower than digits by this factor at least."""
POINT = 0.34
"""A decimal point is smaller than this share of a digit's height."""

Glyph = tuple[int, int, int, int]
"""x, y, width, height"""


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number on the screen, `centre` (x, y) and height of its digits in pixels; `is_cm` where "cm" follows it,
    `decimals` how many follow its point."""

    value: float
    centre: tuple[float, float]
    height_px: float
    is_cm: bool = False
    decimals: int = 0


def read_numbers(screen: Frame, outside: NDArray[np.bool_]) -> list[Number]:
    """The numbers on a screen (HxW uint8), as far as they lie `outside` (HxW bool) the sector. Words with anything else
    than digits, a point and "cm" are left out."""
    black = int(np.bincount(screen.ravel(), minlength=32)[:32].argmax())
    lit = ((screen > black + BRIGHT) & outside).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(lit, connectivity=8)
    highest = HEIGHT[1] * len(screen)
    boxes: list[Glyph] = [(x, y, w, h) for x, y, w, h, _ in stats[1:].tolist() if h <= highest and w <= 1.6 * highest]
    least = max(LEAST_PX, HEIGHT[0] * len(screen))
    digit, letter = _characters(screen, [box for box in boxes if box[3] >= 0.7 * least])
    points = [box for box in boxes if box[3] < least and box[2] < least]
    words = [word for word in _words(list(digit)) if word[0][3] >= least]
    found = [_number(word, digit, letter, points) for word in words]
    return [number for number in found if number is not None]


def normalised(glyph: Frame) -> NDArray[np.float32]:
    """A character's tight crop at SHAPE, 0-1."""
    small = cv2.resize(
        glyph, SHAPE[::-1], interpolation=cv2.INTER_AREA if glyph.shape[0] > SHAPE[0] else cv2.INTER_LINEAR
    )
    values = small.astype(np.float32)
    return np.asarray((values - values.min()) / max(1.0, float(np.ptp(values))), np.float32)


def _characters(screen: Frame, boxes: list[Glyph]) -> tuple[dict[Glyph, str], dict[Glyph, str]]:
    """Which digit and which letter each box would be, "" where none of them is alike enough, or two are."""
    if not boxes:
        return {}, {}
    kinds, drawn, aspects = _templates()
    crops = np.stack([_centred(normalised(screen[y : y + h, x : x + w])) for x, y, w, h in boxes])
    shape_cost = np.abs(np.log(np.array([[w / h] for _, _, w, h in boxes]) / aspects[None]))
    likeness = crops @ drawn.T - ASPECT_COST * shape_cost
    by_kind = np.stack([likeness[:, kinds == kind].max(1) for kind in range(len(CHARACTERS))], 1)
    digits, letters = by_kind[:, : len(DIGITS)], by_kind[:, len(DIGITS) :]
    return _surest(boxes, digits, DIGITS), _surest(boxes, letters, UNIT)


def _surest(boxes: list[Glyph], likeness: NDArray[np.float64], names: str) -> dict[Glyph, str]:
    order = np.sort(likeness, axis=1)
    sure = (order[:, -1] >= ALIKE) & (order[:, -1] - order[:, -2] >= AHEAD)
    return {box: names[int(k)] if ok else "" for box, k, ok in zip(boxes, likeness.argmax(1), sure)}


@lru_cache(maxsize=1)
def _templates() -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """(index of the character, its picture as a unit vector, width over height) of every drawn one."""
    with np.load(TEMPLATES) as stored:
        pictures = np.stack([_centred(picture / np.float32(255)) for picture in stored["pictures"]])
        return stored["characters"], pictures, stored["aspects"].astype(np.float64)


def _centred(picture: NDArray[np.float32]) -> NDArray[np.float64]:
    flat = picture.ravel().astype(np.float64) - picture.mean()
    return np.asarray(flat / max(1e-9, float(np.linalg.norm(flat))), np.float64)


def _words(boxes: list[Glyph]) -> list[list[Glyph]]:
    """Boxes that stand beside each other on one line, from left to right."""
    words: list[list[Glyph]] = []
    for box in sorted(boxes):
        x, y, _, h = box
        for word in words:
            before_x, before_y, before_w, before_h = word[-1]
            tall = max(h, before_h)
            close = -0.2 * tall <= x - before_x - before_w <= GAP * tall
            if close and abs(y + h - before_y - before_h) <= max(1.0, BASELINE * tall):
                word.append(box)
                break
        else:
            words.append([box])
    return words


def _number(word: list[Glyph], digit: dict[Glyph, str], letter: dict[Glyph, str], points: list[Glyph]) -> Number | None:
    first = float(word[0][3])
    low = [box for box in word if box[3] <= max(SMALL * first, first - 2)]
    is_cm = len(word) > 2 and low == word[-2:] and "".join(letter[box] for box in low) == UNIT
    is_cm = is_cm and low[0][0] - word[-3][0] - word[-3][2] <= UNIT_GAP * first
    digits = word[:-2] if is_cm else word
    heights = [box[3] for box in digits]
    text = "".join(digit[box] or "?" for box in digits)
    if not text.isdecimal() or max(heights) - min(heights) > max(1.5, 0.15 * max(heights)):
        return None
    height_px = float(np.median(heights))
    for place, (left, right) in enumerate(pairwise(digits), 1):
        if any(_is_point(point, left, right, height_px) for point in points):
            text = f"{text[:place]}.{text[place:]}"
            break
    left, last = digits[0], digits[-1]
    centre = ((left[0] + last[0] + last[2] - 1) / 2, float(np.mean([y + (h - 1) / 2 for _, y, _, h in digits])))
    decimals = len(text.partition(".")[2])
    return Number(value=float(text), centre=centre, height_px=height_px, is_cm=is_cm, decimals=decimals)


def _is_point(point: Glyph, left: Glyph, right: Glyph, height_px: float) -> bool:
    x, y, w, h = point
    between = left[0] + left[2] - 1 <= x and x + w <= right[0] + 1
    small = max(w, h) <= max(2.0, POINT * height_px)
    return between and small and abs(y + h - left[1] - left[3]) <= max(1.0, BASELINE * height_px)
