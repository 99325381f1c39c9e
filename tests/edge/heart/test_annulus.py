from __future__ import annotations

import numpy as np
import pytest

from edge.heart.annulus import plane_excursion

pytestmark = pytest.mark.portable
ANNULUS = np.array([[-15.0, 0.0], [15.0, 0.0]])


@pytest.mark.parametrize("degrees", [0, 30, -75])
def test_each_point_is_followed_along_the_long_axis(degrees: float) -> None:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).T
    apex = np.array([0.0, -80.0])
    moved = ANNULUS + np.array([[2.0, -9.0], [-2.0, -13.0]])  # towards each other, too, which is no excursion
    assert plane_excursion(ANNULUS @ turn, apex @ turn, moved @ turn) == pytest.approx((9, 13))


def test_without_a_long_axis_there_is_none() -> None:
    assert plane_excursion(ANNULUS, ANNULUS.mean(0), ANNULUS - 5) == (0, 0)
