from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.heart.analysis import REGION_PX
from edge.heart.measure import ejection_fraction, measure_ventricle
from edge.heart.regions import Regions, find_regions
from edge.preprocess import Box
from edge.refine.volumes import ejection_spread, sample_volumes, spread_of
from tests.phantom import SIZE, apical_mask

SPACING_MM = (0.5, 0.5)
BOX = Box(0, 0, SIZE)
VOLUMES = st.lists(st.floats(1, 400), min_size=1, max_size=6)


def regions_of(scale: float) -> Regions:
    found = find_regions(apical_mask(scale, REGION_PX))
    assert isinstance(found, Regions)
    return found


def sample(scale: float, shift_px: int = 0) -> np.ndarray:
    """What a sure network of 128 px says of the phantom's LV."""
    cavity = np.roll((apical_mask(scale) == 1).astype(np.float32), shift_px, axis=1)
    return cv2.resize(cavity, (128, 128), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25])
def test_a_sample_has_the_volume_that_the_frame_loop_measures(scale: float) -> None:
    grid_mm = (0.5 * SIZE / REGION_PX, 0.5 * SIZE / REGION_PX)
    expected = measure_ventricle(apical_mask(scale, REGION_PX), regions_of(scale), grid_mm).volume_ml
    found = sample_volumes(sample(scale)[None], BOX, regions_of(1.0), SPACING_MM)
    assert found == pytest.approx((expected,), rel=0.04)


def test_volumes_grow_with_the_cube_of_the_scale_of_mm() -> None:
    one = sample_volumes(sample(1.0)[None], BOX, regions_of(1.0), (0.4, 0.4))
    other = sample_volumes(sample(1.0)[None], BOX, regions_of(1.0), (0.8, 0.8))
    assert other[0] == pytest.approx(8 * one[0])


@pytest.mark.parametrize(
    "bad", [np.zeros((128, 128), np.float32), sample(1.0, shift_px=120)], ids=["none", "elsewhere"]
)
def test_one_sample_that_cannot_be_measured_takes_all_volumes_away(bad: np.ndarray) -> None:
    assert sample_volumes(np.stack([sample(1.0), bad]), BOX, regions_of(1.0), SPACING_MM) == ()


@given(VOLUMES, VOLUMES)
def test_the_interval_spans_pairs_of_samples(ed_ml: list[float], es_ml: list[float]) -> None:
    found = ejection_spread(ed_ml, es_ml)
    widest = ejection_fraction(min(ed_ml), max(es_ml)), ejection_fraction(max(ed_ml), min(es_ml))
    slack = 1e-9 * max(1.0, abs(widest[0]))
    assert widest[0] - slack <= found.low <= found.median <= found.high <= widest[1] + slack


def test_percentiles() -> None:
    found = spread_of([float(n) for n in range(101)])
    assert (found.low, found.median, found.high) == pytest.approx((5, 50, 95))
