"""A drawn apical view for tests: simple shapes whose area, length and regions are known."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 400
CENTRE = (200, 190)
SEMI_AXES = (55, 110)
WALL = 22
BASE_ROW = 260
SECTOR_HALF_ANGLE = 0.5


def apical_mask(scale: float = 1.0, size: int = SIZE) -> NDArray[np.uint8]:
    """size x size uint8 mask 0-3: a half-ellipsoid LV cut at BASE_ROW, wall around it, atrium below; LV width times
    `scale`.
    """
    mask = np.zeros((SIZE, SIZE), np.uint8)
    inner = (round(SEMI_AXES[0] * scale), SEMI_AXES[1])
    cv2.ellipse(mask, CENTRE, (inner[0] + WALL, inner[1] + WALL), 0, 0, 360, 2, -1)
    cv2.ellipse(mask, CENTRE, inner, 0, 0, 360, 1, -1)
    mask[BASE_ROW:] = 0
    half = round(inner[0] * np.sqrt(1 - ((BASE_ROW - CENTRE[1]) / inner[1]) ** 2))
    cv2.ellipse(mask, (CENTRE[0], BASE_ROW), (half, 70), 0, 0, 180, 3, -1)
    if size != SIZE:
        mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
    return np.asarray(mask, np.uint8)


def sector_mask(size: int = SIZE) -> NDArray[np.bool_]:
    """size x size bool: a fan from the top centre."""
    y, x = np.mgrid[:size, :size]
    dx, dy = x - (size - 1) / 2, y + 1e-6
    return np.asarray((np.abs(np.arctan2(dx, dy)) < SECTOR_HALF_ANGLE) & (np.hypot(dx, dy) < 0.97 * size))


def apical_frame(scale: float = 1.0, seed: int = 0, size: int = SIZE) -> NDArray[np.uint8]:
    """size x size uint8 grey frame of `apical_mask` inside `sector_mask`: dark blood, bright wall, speckle."""
    mask = apical_mask(scale, size)
    grey = np.array([70, 25, 150, 30], np.float32)[mask]
    speckle = np.random.default_rng(seed).gamma(6, 1 / 6, mask.shape)
    frame = np.clip(cv2.GaussianBlur((grey * speckle).astype(np.float32), (0, 0), 1), 3, 255)
    return (frame * sector_mask(size)).astype(np.uint8)


def on_screen(frame: NDArray[np.uint8], width: int = 1280, height: int = 720) -> NDArray[np.uint8]:
    """A scanner's screen (height x width x 3 RGB uint8): the frame amid text, depth ticks, a colour bar and buttons."""
    screen = np.full((height, width, 3), 3, np.uint8)
    side = height - 80
    shown = cv2.resize(frame, (side, side))
    left = (width - side) // 2
    screen[40 : 40 + side, left : left + side] = np.maximum(shown, 3)[..., None]
    font = cv2.FONT_HERSHEY_SIMPLEX
    for row, text in enumerate(("CARDIAC", "MI 1.2", "TIS 0.8", "21 cm", "54 Hz")):
        cv2.putText(screen, text, (20, 60 + 30 * row), font, 0.6, (200, 200, 200), 1)
    for tick in range(17):
        cv2.line(screen, (width - 60, 50 + 36 * tick), (width - 50, 50 + 36 * tick), (220, 220, 220), 1)
    screen[60:260, width - 30 : width - 15] = np.linspace(255, 0, 200).astype(np.uint8)[:, None, None]
    cv2.rectangle(screen, (20, height - 36), (width - 20, height - 8), (40, 60, 120), -1)
    return screen


def page(number: int) -> NDArray[np.uint8]:
    """A menu's page (480 x 640 x 3 RGB uint8): text, with other figures for each `number`."""
    out = np.zeros((480, 640, 3), np.uint8)
    for row in range(12):
        text = f"SETTINGS {7919 * (12 * number + row) % 999983}"
        cv2.putText(out, text, (40, 40 + 35 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (220, 220, 220), 1)
    return out
