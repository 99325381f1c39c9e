from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.regions import REGIONS, NotMeasurable, Regions, find_regions, region_names
from tests.phantom import BASE_ROW, CENTRE, SEMI_AXES, apical_mask


def measured(mask: np.ndarray, **kwargs: object) -> Regions:
    found = find_regions(mask, **kwargs)  # type: ignore[arg-type]
    assert isinstance(found, Regions), found
    return found


def test_landmarks_of_a_drawn_ventricle() -> None:
    found = measured(apical_mask())
    (left_x, left_y), (right_x, right_y) = found.annulus
    half = SEMI_AXES[0] * np.sqrt(1 - ((BASE_ROW - CENTRE[1]) / SEMI_AXES[1]) ** 2)
    assert left_x == pytest.approx(CENTRE[0] - half, abs=4)
    assert right_x == pytest.approx(CENTRE[0] + half, abs=4)
    assert left_y == pytest.approx(BASE_ROW, abs=5)
    assert right_y == pytest.approx(BASE_ROW, abs=5)
    assert found.apex == pytest.approx((CENTRE[0], CENTRE[1] - SEMI_AXES[1]), abs=6)


def test_six_segments_cover_the_wall_in_order() -> None:
    mask = apical_mask()
    found = measured(mask)
    wall = mask == 2
    assert (found.labels[wall] > 0).mean() > 0.97
    centres = [np.argwhere(found.labels == k + 1).mean(0) for k in range(6)]
    rows, columns = np.array(centres).T
    assert rows[0] > rows[1] > rows[2]
    assert rows[5] > rows[4] > rows[3]
    assert max(columns[:3]) < CENTRE[0] < min(columns[3:])


def test_the_annulus_discs_are_circles_in_millimetres() -> None:
    found = measured(apical_mask(), spacing_mm=(0.25, 0.5))
    rows, columns = np.nonzero(found.labels == 7)
    assert np.ptp(rows) * 0.25 == pytest.approx(4, abs=0.6)
    assert np.ptp(columns) * 0.5 == pytest.approx(4, abs=1.1)


def test_regions_outside_the_sector_are_excluded() -> None:
    sector = np.ones((400, 400), bool)
    sector[:, :150] = False
    found = measured(apical_mask(), sector=sector)
    assert not found.included[1]
    assert not (found.labels == 2).any()
    assert found.included[3:6].all()


def test_a_mirrored_mask_swaps_left_and_right() -> None:
    mask = apical_mask()
    one, other = measured(mask), measured(np.ascontiguousarray(mask[:, ::-1]))
    areas = [np.bincount(f.labels.ravel(), minlength=9)[1:] for f in (one, other)]
    assert areas[0][[5, 4, 3, 2, 1, 0]] == pytest.approx(areas[1][:6], rel=0.15)


def empty() -> np.ndarray:
    return np.zeros((64, 64), np.uint8)


def without(label: int) -> np.ndarray:
    mask = apical_mask()
    mask[mask == label] = 0
    return mask


def closed_wall() -> np.ndarray:
    mask = apical_mask()
    mask[BASE_ROW - 3 : BASE_ROW + 8][mask[BASE_ROW - 3 : BASE_ROW + 8] != 1] = 2
    mask[BASE_ROW:] = np.where(mask[BASE_ROW:] == 1, 2, mask[BASE_ROW:])
    return mask


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (empty(), "no left ventricle"),
        (without(1), "no left ventricle"),
        (without(2), "no myocardium"),
        (closed_wall(), "mitral annulus"),
    ],
)
def test_what_cannot_be_measured_says_why(mask: np.ndarray, reason: str) -> None:
    found = find_regions(mask)
    assert isinstance(found, NotMeasurable)
    assert reason in found.reason


def test_a_missing_atrium_and_a_broken_wall_are_survived() -> None:
    mask = without(3)
    mask[150:165, :200][mask[150:165, :200] == 2] = 0
    assert isinstance(find_regions(mask), Regions)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 3)))
def test_no_mask_raises(mask: np.ndarray) -> None:
    assert isinstance(find_regions(mask, (0.3, 0.3), np.ones(mask.shape, bool)), Regions | NotMeasurable)


def test_names_follow_the_view() -> None:
    assert region_names("A4C")[0] == "basal septal"
    assert region_names("A2C")[5] == "basal anterior"
    assert region_names("A3C")[7] == "annulus anteroseptal"
    assert region_names("") == REGIONS
