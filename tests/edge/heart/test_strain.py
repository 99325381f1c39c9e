from __future__ import annotations

import numpy as np
import pytest

from edge.heart.strain import border_length, longitudinal_strain

pytestmark = pytest.mark.portable


def half_ellipse(radius: float, length: float, points: int = 400) -> np.ndarray:
    angle = np.linspace(np.pi, 0, points)
    return np.stack([radius * np.cos(angle), -length * np.sin(angle)], axis=1)


def test_a_heart_that_shrinks_alike_everywhere_has_that_strain() -> None:
    border = half_ellipse(25, 80)
    assert longitudinal_strain(border_length(border), border_length(0.82 * border)) == pytest.approx(-18)


def test_the_stairs_of_pixels_do_not_lengthen_the_border() -> None:
    smooth = half_ellipse(50, 160, 4000)
    steps = np.round(smooth)
    stairs = steps[np.insert(np.any(np.diff(steps, axis=0), axis=1), 0, True)]
    raw = np.hypot(*np.diff(stairs, axis=0).T).sum()
    assert raw > 1.04 * np.hypot(*np.diff(smooth, axis=0).T).sum()
    assert border_length(stairs) == pytest.approx(border_length(smooth), rel=0.01)
