from __future__ import annotations

import numpy as np
import pytest

from edge.heart.measure import disc_volume, ejection_fraction, fractional_area_change, measure_ventricle
from edge.heart.regions import Regions, find_regions
from tests.phantom import BASE_ROW, CENTRE, SEMI_AXES, apical_mask

pytestmark = pytest.mark.portable


def half_ellipsoid(radius: float, length: float) -> np.ndarray:
    """Contour of half an ellipse from (-radius, 0) over (0, -length) to (radius, 0)."""
    angle = np.linspace(np.pi, 0, 400)
    return np.stack([radius * np.cos(angle), -length * np.sin(angle)], axis=1)


def test_discs_reproduce_the_volume_of_half_an_ellipsoid() -> None:
    contour = half_ellipsoid(25, 80)
    length, volume = disc_volume(contour, contour[[0, -1]], np.array((0.0, -80.0)))
    assert length == pytest.approx(80)
    assert volume == pytest.approx(2 / 3 * np.pi * 25**2 * 80 / 1000, rel=0.01)


@pytest.mark.parametrize("degrees", [-40, 15, 90])
def test_the_volume_does_not_depend_on_the_axis_direction(degrees: float) -> None:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    contour = half_ellipsoid(20, 70) @ turn.T
    _, volume = disc_volume(contour, contour[[0, -1]], turn @ np.array((0.0, -70.0)))
    assert volume == pytest.approx(2 / 3 * np.pi * 20**2 * 70 / 1000, rel=0.01)


def test_a_drawn_ventricle_in_centimetres() -> None:
    mask = apical_mask()
    regions = find_regions(mask)
    assert isinstance(regions, Regions)
    ventricle = measure_ventricle(mask, regions, (0.5, 0.5))
    assert ventricle.area_cm2 == pytest.approx((mask == 1).sum() * 0.25 / 100)
    assert ventricle.length_mm == pytest.approx((BASE_ROW - CENTRE[1] + SEMI_AXES[1]) * 0.5, abs=3)
    assert ventricle.volume_ml is not None


def test_without_a_scale_only_pixels_are_given() -> None:
    ventricle = measure_ventricle(apical_mask(), None, None)
    assert ventricle.area_px > 0
    assert (ventricle.area_cm2, ventricle.length_mm, ventricle.volume_ml) == (None, None, None)


def test_ejection_fraction_in_percent() -> None:
    assert ejection_fraction(120, 48) == pytest.approx(60)
    assert fractional_area_change(30, 18) == pytest.approx(40)
