from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.heart.regions import find_regions
from tests.phantom import apical_frame, apical_mask, sector_mask
from train.quality.classical import (
    METRICS,
    LabelMap,
    cnr,
    contrast_ratio,
    fit_label_map,
    gcnr,
    match_histogram,
    region_means,
    region_metrics,
)

GREYS = st.lists(st.integers(0, 255), min_size=1, max_size=60).map(lambda v: np.array(v, np.uint8))


def test_closed_forms_of_two_level_regions() -> None:
    region, background = np.array([100, 140], np.uint8), np.array([40, 80], np.uint8)
    assert contrast_ratio(region, background) == pytest.approx(2)
    assert cnr(region, background) == pytest.approx(60 / np.sqrt(20**2 + 20**2))
    assert gcnr(region, background) == pytest.approx(1)


def test_closed_form_of_gcnr_for_shifted_uniform_densities() -> None:
    region, background = np.arange(64, 192, dtype=np.uint8), np.arange(0, 128, dtype=np.uint8)
    assert gcnr(region, background) == pytest.approx(0.5)


@pytest.mark.parametrize("level", [0, 9])
def test_uniform_areas(level: int) -> None:
    same, brighter = np.full(5, level, np.uint8), np.full(5, level + 8, np.uint8)
    assert cnr(same, same) == 0
    assert cnr(brighter, same) == np.inf
    assert gcnr(same, same) == 0
    assert gcnr(brighter, same) == 1
    assert contrast_ratio(brighter, same) == (np.inf if level == 0 else pytest.approx(17 / 9))


@given(GREYS, GREYS)
def test_gcnr_is_a_symmetric_share(a: np.ndarray, b: np.ndarray) -> None:
    assert -1e-9 <= gcnr(a, b) <= 1
    assert gcnr(a, b) == pytest.approx(gcnr(b, a))
    assert gcnr(a, a) == pytest.approx(0, abs=1e-9)


@given(GREYS, GREYS)
def test_cnr_changes_sign_with_its_arguments(a: np.ndarray, b: np.ndarray) -> None:
    assert cnr(a, b) == pytest.approx(-cnr(b, a))


@given(st.integers(0, 2**32 - 1))
def test_histogram_matching_keeps_the_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (12, 12)).astype(np.uint8)
    inside = rng.random((12, 12)) < 0.8
    matched = match_histogram(image, inside)
    order = np.argsort(image[inside], kind="stable")
    assert (np.diff(matched[inside][order].astype(int)) >= 0).all()
    assert not matched[~inside].any()


def test_matched_greys_are_normal_whatever_the_gain() -> None:
    image = apical_frame(size=200)
    inside = sector_mask(200) & (image > 0)
    darker = (image // 2).astype(np.uint8)
    for picture in (image, darker):
        greys = match_histogram(picture, inside)[inside].astype(float)
        assert greys.mean() == pytest.approx(127, abs=2)
        assert greys.std() == pytest.approx(32, abs=2)
    assert not match_histogram(image, np.zeros_like(inside)).any()


def test_bright_walls_score_above_dim_ones_in_every_metric() -> None:
    mask, sector = apical_mask(), sector_mask()
    labels = find_regions(mask, None, sector).labels  # type: ignore[union-attr]
    image = apical_frame()
    image[labels == 2] //= 3
    found = region_metrics(image, mask, labels, sector)
    assert set(found) == set(METRICS)
    for name, values in found.items():
        assert values[4] > values[1], name
    labels[labels == 3] = 0
    assert np.isnan(region_metrics(image, mask, labels, sector)["CR"][2])


def test_region_means() -> None:
    labels = np.array([[1, 1, 0], [8, 8, 2]], np.uint8)
    image = np.array([[1, 3, 100], [5, 6, 7]], float)
    found = region_means(image, labels)
    assert found[[0, 7, 1]].tolist() == [2, 5.5, 7]
    assert np.isnan(found[2:7]).all()


def test_the_line_to_labels() -> None:
    metric = np.array([0.1, 0.5, np.nan, 0.9, np.inf])
    labels = np.array([1.2, 2.0, 3.0, 2.8, 1.0])
    line = fit_label_map(metric, labels)
    assert (line.slope, line.offset) == (pytest.approx(2), pytest.approx(1))
    assert line(np.array([0.3]))[0] == pytest.approx(1.6)
    assert fit_label_map(np.ones(4), np.array([1.0, 2, 3, 4])) == LabelMap(0.0, 2.5)
