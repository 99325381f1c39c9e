from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.postprocess import clean_mask, mask_on_frame
from edge.preprocess import Box, resample
from tests.phantom import apical_mask

pytestmark = pytest.mark.portable


def test_an_anatomical_mask_is_left_alone() -> None:
    mask = apical_mask()
    assert np.array_equal(clean_mask(mask), mask)


def test_stray_pieces_and_holes_are_removed() -> None:
    expected = apical_mask()
    mask = expected.copy()
    mask[5:20, 5:30] = 1
    mask[370:390, 10:40] = 2
    mask[5:25, 350:390] = 3
    mask[150:160, 190:200] = 0
    mask[200:204, 195:200] = 2
    assert np.array_equal(clean_mask(mask), expected)


def test_a_tendon_across_the_cavity_is_no_valve() -> None:
    expected = apical_mask()
    mask = expected.copy()
    cavity = mask == 1
    rows = np.arange(400)[:, None]
    mask[cavity & (rows >= 130) & (rows < 175)] = 3
    assert np.array_equal(clean_mask(mask), expected)


def test_an_atrium_above_the_ventricle_is_dropped() -> None:
    upside_down = np.ascontiguousarray(apical_mask()[::-1])
    assert not (clean_mask(upside_down) == 3).any()


def test_without_a_ventricle_nothing_is_kept() -> None:
    mask = apical_mask()
    mask[mask == 1] = 0
    assert not clean_mask(mask).any()


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 50), st.integers(1, 50)), elements=st.integers(0, 3)))
def test_any_mask_is_cleaned_and_cleaning_again_changes_nothing(mask: np.ndarray) -> None:
    once = clean_mask(mask)
    assert once.shape == mask.shape
    assert np.array_equal(clean_mask(once), once)


def test_a_mask_returns_to_its_place_on_the_frame() -> None:
    mask = np.full((50, 50), 2, np.uint8)
    frame = mask_on_frame(mask, Box(30, -10, 100), (80, 120))
    assert (frame[:80, 30:120] == 2).all()
    assert not frame[:, :30].any()
    assert frame.shape == (80, 120)


@pytest.mark.parametrize("size", [89, 128, 377])
def test_a_mask_keeps_its_place_through_the_network_size(size: int) -> None:
    """OpenCV's INTER_NEAREST takes a cell's corner for its middle, which moves a border by up to half a cell."""
    rows, columns = np.mgrid[:500, :500]
    whole = ((columns - 250) ** 2 / 90**2 + (rows - 250) ** 2 / 150**2 < 1).astype(np.uint8)
    box = Box(0, 0, 500)
    small = resample(whole, box, size, cv2.INTER_NEAREST_EXACT)
    found = mask_on_frame(small, box, whole.shape)
    for axis, true in ((columns, 250), (rows, 250)):
        assert axis[found > 0].mean() == pytest.approx(true, abs=0.15 * 500 / size)
