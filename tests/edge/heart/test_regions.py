from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.heart.measure import measure_ventricle
from edge.heart.regions import REGIONS, NotMeasurable, Regions, find_regions, region_names
from edge.postprocess import MYOCARDIUM
from tests.phantom import BASE_ROW, CENTRE, SEMI_AXES, apical_mask, sector_mask

pytestmark = pytest.mark.portable


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


def apex_cut_off() -> np.ndarray:
    mask = apical_mask()
    mask[: CENTRE[1] - SEMI_AXES[1] + 30] = 0
    return mask


def one_wall() -> np.ndarray:
    mask = apical_mask()
    right = mask[CENTRE[1] - 60 :, CENTRE[0] + 5 :]
    right[right == 2] = 0
    return mask


def short_axis() -> np.ndarray:
    mask = np.zeros((256, 256), np.uint8)
    cv2.circle(mask, (128, 128), 60, 2, -1)
    cv2.circle(mask, (128, 128), 40, 1, -1)
    mask[145:] = 0
    return mask


def turned(degrees: float, mask: np.ndarray) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((mask.shape[1] / 2, mask.shape[0] / 2), degrees, 0.8)
    return np.asarray(cv2.warpAffine(mask, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST), np.uint8)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (empty(), "no left ventricle"),
        (np.ones((256, 256), np.uint8), "no myocardium"),
        (np.full((256, 256), 2, np.uint8), "no left ventricle"),
        (apical_mask(size=24), "no left ventricle"),
        (without(1), "no left ventricle"),
        (without(2), "no myocardium"),
        (closed_wall(), "mitral annulus"),
        (turned(180, without(3)), "mitral annulus"),
        (apex_cut_off(), "the apex is cut off"),
        (one_wall(), "one wall"),
        (short_axis(), "too short"),
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


def test_without_an_atrium_the_mitral_plane_is_the_deep_gap_and_not_a_longer_one_above() -> None:
    whole, mask = measured(apical_mask()), without(3)
    mask[100:240, 200:][mask[100:240, 200:] == 2] = 0  # longer than the annulus is wide
    assert np.allclose(measured(mask).annulus, whole.annulus, atol=6)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 3)))
def test_no_mask_raises(mask: np.ndarray) -> None:
    assert isinstance(find_regions(mask, (0.3, 0.3), np.ones(mask.shape, bool)), Regions | NotMeasurable)


BLOBS = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(1, 60), st.integers(0, 3)), max_size=8)


@st.composite
def damaged(draw: st.DrawFn) -> np.ndarray:
    """The phantom's mask turned, shifted and shrunk, with a structure taken away and blobs of any class painted over
    it.
    """
    mask = apical_mask(draw(st.floats(0.1, 1.6)), 256)
    if lost := draw(st.integers(0, 3)):
        mask[mask == lost] = 0
    matrix = cv2.getRotationMatrix2D((128, 128), draw(st.floats(-180, 180)), draw(st.floats(0.05, 1.5)))
    matrix[:, 2] += draw(st.integers(-140, 140)), draw(st.integers(-140, 140))
    mask = np.asarray(cv2.warpAffine(mask, matrix, (256, 256), flags=cv2.INTER_NEAREST), np.uint8)
    for x, y, radius, label in draw(BLOBS):
        cv2.circle(mask, (x, y), radius, label, -1)
    return mask


@settings(max_examples=120, deadline=None)
@given(damaged(), st.sampled_from([None, (0.5, 0.5), (0.2, 0.9)]), st.booleans())
def test_a_damaged_mask_is_measured_soundly_or_refused(
    mask: np.ndarray, spacing: tuple[float, float] | None, in_sector: bool
) -> None:
    sector = sector_mask(256) if in_sector else None
    found = find_regions(mask, spacing, sector)
    if isinstance(found, NotMeasurable):
        assert found.reason
        return
    segments = (found.labels > 0) & (found.labels < 7)
    assert (mask[segments] == MYOCARDIUM).all()
    assert ((found.visible >= 0) & (found.visible <= 1)).all()
    present = np.isin(np.arange(1, 9), found.labels)
    assert not (present & ~found.included).any()
    assert sector is None or not found.labels[~sector].any()
    ventricle = measure_ventricle(mask, found, (0.5, 0.5))
    assert np.isfinite([ventricle.length_mm, ventricle.volume_ml]).all()


@settings(max_examples=40, deadline=None)
@given(st.floats(-40, 40), st.booleans())
def test_turning_the_probe_turns_the_landmarks(degrees: float, atrium: bool) -> None:
    mask = apical_mask() if atrium else without(3)
    found, upright = measured(turned(degrees, mask)), measured(mask)
    matrix = cv2.getRotationMatrix2D((200, 200), degrees, 0.8)
    for one, other in zip(found.annulus, upright.annulus):
        assert np.allclose(one, matrix @ (*other, 1.0), atol=7)
    assert np.allclose(found.apex, matrix @ (*upright.apex, 1.0), atol=16)  # the phantom's apex is blunt


def test_names_follow_the_view() -> None:
    assert region_names("A4C")[0] == "basal septal"
    assert region_names("A2C")[5] == "basal anterior"
    assert region_names("A3C")[7] == "annulus anteroseptal"
    assert region_names("") == REGIONS
