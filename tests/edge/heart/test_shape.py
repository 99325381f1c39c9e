from __future__ import annotations

import numpy as np
import pytest

from edge.heart.measure import fractional_area_change, measure_ventricle
from edge.heart.regions import Regions, find_regions
from edge.heart.shape import Shape, shape_of
from tests.phantom import BASE_ROW, CENTRE, SEMI_AXES, apical_mask

pytestmark = pytest.mark.portable


def shape(scale: float = 1.0, spacing_mm: tuple[float, float] | None = (0.5, 0.5)) -> Shape:
    mask = apical_mask(scale)
    regions = find_regions(mask, spacing_mm)
    assert isinstance(regions, Regions)
    return shape_of(mask, regions, spacing_mm)


def test_it_agrees_with_the_frames_own_volume() -> None:
    mask = apical_mask()
    regions = find_regions(mask, (0.5, 0.5))
    assert isinstance(regions, Regions)
    ventricle = measure_ventricle(mask, regions, (0.5, 0.5))
    found = shape()
    assert found.volume == ventricle.volume_ml
    assert found.area / 100 == pytest.approx(ventricle.area_cm2)
    assert found.length == pytest.approx((BASE_ROW - CENTRE[1] + SEMI_AXES[1]) / 2, abs=3)
    assert found.sphericity == pytest.approx(2 * SEMI_AXES[0] * 0.5 / found.length, abs=0.03)
    assert found.atrium is not None
    assert found.atrium.length == pytest.approx(70 / 2, abs=2)


def test_ratios_need_no_millimetre() -> None:
    for spacing_mm in (None, (0.5, 0.5)):
        ed, es = shape(1.0, spacing_mm), shape(0.8, spacing_mm)
        assert fractional_area_change(ed.area, es.area) == pytest.approx(20, abs=1)
        assert 1 - es.volume / ed.volume == pytest.approx(0.36, abs=0.02)
        assert ed.in_mm == (spacing_mm is not None)


def test_oblong_pixels() -> None:
    mask = np.ascontiguousarray(np.repeat(apical_mask(), 2, axis=1))
    regions = find_regions(mask, (0.5, 0.25))
    assert isinstance(regions, Regions)
    found, square = shape_of(mask, regions, (0.5, 0.25)), shape()
    for name in ("area", "length", "border", "volume"):
        assert getattr(found, name) == pytest.approx(getattr(square, name), rel=0.02)
