from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.heart.atrium import area_length_volume, disc_volume, measure_atrium

pytestmark = pytest.mark.portable
ANNULUS = np.array([[80.0, 100.0], [120.0, 100.0]])


def ellipse_below(half_width: int, length: int) -> np.ndarray:
    """A half-ellipsoid of revolution that hangs from the annulus's row."""
    mask = np.zeros((240, 200), np.uint8)
    cv2.ellipse(mask, (100, 100), (half_width, length), 0, 0, 180, 3, -1)
    return mask


def test_area_and_volumes_of_half_an_ellipsoid() -> None:
    atrium = measure_atrium(ellipse_below(30, 90), ANNULUS * 0.5, np.array([0.5, 0.5]))
    assert atrium is not None
    assert atrium.length == pytest.approx(45, abs=0.6)
    assert atrium.area == pytest.approx(np.pi / 2 * 15 * 45, rel=0.04)
    volume = 2 / 3 * np.pi * 15**2 * 45
    assert disc_volume(atrium, atrium, atrium.length) == pytest.approx(volume, rel=0.05)
    assert area_length_volume(atrium, atrium, atrium.length) == pytest.approx(volume, rel=0.07)


def test_two_planes_multiply() -> None:
    one, other = (measure_atrium(ellipse_below(width, 90), ANNULUS, np.ones(2)) for width in (30, 40))
    assert one is not None
    assert other is not None
    for volume in (disc_volume, area_length_volume):
        alone = volume(one, one, one.length) * volume(other, other, one.length)
        assert volume(one, other, one.length) == pytest.approx(alone**0.5, rel=0.01)


def test_no_atrium() -> None:
    assert measure_atrium(np.ones((20, 20), np.uint8), ANNULUS, np.ones(2)) is None
