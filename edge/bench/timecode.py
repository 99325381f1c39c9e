"""A time-code that survives scaling and video compression: drawn into a picture, read from what a camera, grabber or
stream gave.

Black and white cells in a black frame on white: 32 bits of time, 16 of a number, CRC-16. Upright only: cables and
streams do not turn pictures. A false reading needs a frame of the right shape and a CRC that fits by chance.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 16, 4
BORDER = 2
"""Cells around the data on each side: one black, one white."""
WIDE, HIGH = COLUMNS + 2 * BORDER, ROWS + 2 * BORDER
FRAME_WIDE, FRAME_HIGH = WIDE - 2, HIGH - 2
"""Cells of the black frame's outer edge, which the reader looks for."""
TICKS_PER_S = 10_000
WRAP = 1 << 32
"""In ticks of 0.1 ms: five days."""
MIN_CELL_PX = 3.0
LEVELS = (128, 80, 176, 48)
"""Thresholds that are tried in turn: contrast and brightness of a cable are not known."""
ASPECT_TOLERANCE = 0.2


@dataclass(frozen=True)
class TimeCode:
    """`ticks` of 0.1 ms since any start, modulo WRAP; `number` modulo 65536."""

    ticks: int
    number: int


def ticks_of(monotonic_ns: int) -> int:
    """The ticks that stand for a moment of the monotonic clock, which all processes of a machine share."""
    return monotonic_ns * TICKS_PER_S // 10**9 % WRAP


def age_ms(code: TimeCode, now_ns: int) -> float:
    """Milliseconds from the code's moment to now, right across the wrap."""
    return (ticks_of(now_ns) - code.ticks) % WRAP * 1e3 / TICKS_PER_S


def draw_code(picture: NDArray[np.uint8], code: TimeCode, at: tuple[int, int] = (8, 8), cell_px: int = 12) -> None:
    """Draw into an HxW or HxWx3 uint8 picture, top-left corner at (x, y). ValueError where it does not fit."""
    x, y = at
    width, height = WIDE * cell_px, HIGH * cell_px
    if x < 0 or y < 0 or y + height > picture.shape[0] or x + width > picture.shape[1]:
        raise ValueError(f"a code of {width}x{height} at {at} does not fit {picture.shape[1]}x{picture.shape[0]}")
    cells = np.full((HIGH, WIDE), 255, np.uint8)
    cells[1:-1, 1:-1] = 0
    payload = code.ticks.to_bytes(4, "big") + code.number.to_bytes(2, "big")
    bits = np.unpackbits(np.frombuffer(payload + binascii.crc_hqx(payload, 0xFFFF).to_bytes(2, "big"), np.uint8))
    cells[BORDER:-BORDER, BORDER:-BORDER] = bits.reshape(ROWS, COLUMNS) * 255
    patch = cells.repeat(cell_px, 0).repeat(cell_px, 1)
    picture[y : y + height, x : x + width] = patch if picture.ndim == 2 else patch[..., None]


def read_code(picture: NDArray[np.uint8]) -> TimeCode | None:
    """The first valid code in an HxW or HxWx3 uint8 picture, else None. Cells need MIN_CELL_PX pixels."""
    grey = picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., 1])
    for level in LEVELS:
        _, black = cv2.threshold(grey, level, 255, cv2.THRESH_BINARY_INV)
        contours, _ = cv2.findContours(black, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            x, y, width, height = cv2.boundingRect(contour)
            if height < FRAME_HIGH * MIN_CELL_PX or width < FRAME_WIDE * MIN_CELL_PX:
                continue
            if abs(width / height / (FRAME_WIDE / FRAME_HIGH) - 1) > ASPECT_TOLERANCE:
                continue
            code = _cells(grey[y : y + height, x : x + width])
            if code is not None:
                return code
    return None


def _cells(patch: NDArray[np.uint8]) -> TimeCode | None:
    """Read the cells of what lies within a black frame, frame included; None where the CRC does not fit."""
    per_cell = 4  # samples along a side of a cell after scaling: the middle 2x2 are averaged
    grid = cv2.resize(patch, (FRAME_WIDE * per_cell, FRAME_HIGH * per_cell), interpolation=cv2.INTER_AREA)
    cells = grid.reshape(FRAME_HIGH, per_cell, FRAME_WIDE, per_cell)[:, 1:3, :, 1:3].mean((1, 3))
    data = cells[1:-1, 1:-1]
    # The frame is black for certain; white is the brightest cell, which some cell of every valid code is.
    black, white = float(np.median(cells[0])), float(data.max())
    bits = (data > (black + white) / 2).astype(np.uint8)
    raw = np.packbits(bits.ravel()).tobytes()
    if binascii.crc_hqx(raw[:6], 0xFFFF) != int.from_bytes(raw[6:], "big"):
        return None
    return TimeCode(int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:6], "big"))
