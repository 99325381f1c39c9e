"""Numbers on a screen: read as they are, or not at all."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.screen.digits import read_numbers
from edge.synth.compression import jpeg

FACES = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)


def screen_with(words: list[str], face: int, scale: float, thickness: int = 1, ink: int = 230) -> np.ndarray:
    screen = np.zeros((600, 800), np.uint8)
    for number, word in enumerate(words):
        at = (40 + 190 * (number % 4), 50 + 60 * (number // 4))
        cv2.putText(screen, word, at, face, scale, ink, thickness, cv2.LINE_AA)
    return screen


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(("scale", "thickness"), [(0.5, 1), (0.65, 1), (0.8, 2)])
def test_hardly_a_number_is_misread(face: int, scale: float, thickness: int) -> None:
    true = [float(n) for n in range(40)]
    screen = screen_with([f"{n:.0f}" for n in true], face, scale, thickness)
    degraded = jpeg(np.repeat(screen[..., None], 3, axis=2), 80)[..., 1]
    found = read_numbers(np.ascontiguousarray(degraded), np.ones(screen.shape, bool))
    right = wrong = 0
    for number in found:
        x, y = number.centre
        place = round((y - 45) / 60) * 4 + round((x - 50) / 190)
        right += number.value == true[place]
        wrong += number.value != true[place]
    assert wrong <= 0.05 * len(true)
    assert right >= 0.6 * len(true) or face == cv2.FONT_HERSHEY_TRIPLEX


def test_a_depth_is_read_with_its_unit_and_its_point() -> None:
    screen = screen_with(["17cm", "8.0cm", "12 Hz", "75%", "MI 1.2", "3.4"], cv2.FONT_HERSHEY_SIMPLEX, 0.6)
    found = read_numbers(screen, np.ones(screen.shape, bool))
    assert [(n.value, n.decimals) for n in found if n.is_cm] == [(17.0, 0), (8.0, 1)]
    assert 75.0 not in [n.value for n in found]


def test_what_lies_in_the_sector_is_no_number() -> None:
    screen = screen_with(["17cm"], cv2.FONT_HERSHEY_SIMPLEX, 0.6)
    assert read_numbers(screen, np.zeros(screen.shape, bool)) == []
