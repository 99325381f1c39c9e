from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.screen.calibration import PIXEL_MM, Calibration, TypedDepth, calibrate
from edge.screen.scale import PLAUSIBLE_DEPTH_MM, Scale
from edge.screen.sector import find_sector
from edge.stated import Stated
from tests.phantom import apical_frame

SECTOR = find_sector([apical_frame()])
SURE, OPEN = Scale(0.4, 0.9, (), "", 25.0), Scale(None, 0.4, (), "", 25.0)
NOTHING = Stated()
BY = "DICOM region"
AGREED_CM = 0.4 / SECTOR.spacing_from_depth(1.0)[0]
"""The depth that SURE's ticks mean."""


@pytest.mark.parametrize(
    ("scale", "stated", "depth_cm", "origin"),
    [
        (SURE, Stated((0.4, 0.4), BY), AGREED_CM, BY),
        (OPEN, NOTHING, 16.0, "typed in"),
        (SURE, NOTHING, AGREED_CM, "typed in"),
        (SURE, NOTHING, 0.0, "ticks"),
        (Scale(0.4, 0.3), NOTHING, 0.0, "unknown"),
        (OPEN, NOTHING, 0.0, "unknown"),
    ],
)
def test_the_best_known_scale_is_taken(scale: Scale, stated: Stated, depth_cm: float, origin: str) -> None:
    found = calibrate(SECTOR, scale, stated, depth_cm)
    assert found.origin == origin
    assert (found.spacing_mm is None) == (found == Calibration())


@pytest.mark.parametrize(
    ("spacing_mm", "says"),
    [
        ((0.0, 0.0), "no length"),
        ((-0.4, -0.4), "no length"),
        ((math.nan, 0.4), "no length"),
        ((math.inf, math.inf), "no length"),
        ((8.0, 8.0), "8 mm per pixel is not plausible"),
        ((0.001, 0.001), "0.001 mm per pixel is not plausible"),
        ((2.5, 2.5), "would mean a depth of"),
        ((0.4, 0.9), "do not fit square pixels"),
    ],
)
def test_what_cannot_be_is_passed_over_whoever_says_it(spacing_mm: tuple[float, float], says: str) -> None:
    for by in (BY, "OpenIGTLink", "recording"):
        found = calibrate(SECTOR, OPEN, Stated(spacing_mm, by), 0.0)
        assert (found.spacing_mm, found.origin) == (None, "unknown")
        assert found.reason.startswith(f"{by}: ")
        assert says in found.reason
        assert calibrate(SECTOR, SURE, Stated(spacing_mm, by), 0.0).origin == "ticks"


@pytest.mark.parametrize(
    ("scale", "stated", "depth_cm", "names"),
    [
        (SURE, NOTHING, 1.06 * AGREED_CM, ("ticks", "typed in")),
        (SURE, NOTHING, 1.5 * AGREED_CM, ("ticks", "typed in")),
        (OPEN, Stated((0.4, 0.4), BY), 0.9 * AGREED_CM, ("typed in", BY)),
        (SURE, Stated((0.5, 0.5), BY), 0.0, ("ticks", BY)),
        (SURE, Stated((0.5, 0.5), BY), AGREED_CM, ("typed in", BY)),
    ],
)
def test_where_two_disagree_nothing_is_known_in_mm(
    scale: Scale, stated: Stated, depth_cm: float, names: tuple[str, str]
) -> None:
    found = calibrate(SECTOR, scale, stated, depth_cm)
    assert (found.spacing_mm, found.origin) == (None, "unknown")
    assert all(f"({name})" in found.conflict for name in names)
    assert "% more" in found.conflict
    assert found.conflict in found.reason


def test_two_within_five_percent_agree() -> None:
    found = calibrate(SECTOR, SURE, NOTHING, 1.04 * AGREED_CM)
    assert (found.origin, found.conflict) == ("typed in", "")


def test_a_depth_that_cannot_be_contradicts_nobody() -> None:
    found = calibrate(SECTOR, SURE, NOTHING, 300.0)
    assert (found.origin, found.conflict) == ("ticks", "")
    assert "typed in" in found.reason


def test_an_operator_may_insist() -> None:
    found = calibrate(SECTOR, SURE, Stated((0.5, 0.5), BY), 1.5 * AGREED_CM, insists=True)
    assert (found.origin, found.conflict) == ("typed in", "")
    assert found.spacing_mm == pytest.approx((0.6, 0.6))
    assert calibrate(SECTOR, SURE, NOTHING, 0.0, insists=True).origin == "ticks"


@pytest.mark.parametrize("depth_cm", [-5.0, math.nan, 1e30, 300.0, 0.3])
def test_a_typed_depth_is_judged_like_any_other(depth_cm: float) -> None:
    found = calibrate(SECTOR, OPEN, NOTHING, depth_cm)
    assert found.spacing_mm is None
    assert "typed in" in found.reason


def test_what_a_source_could_not_state_is_said() -> None:
    found = calibrate(SECTOR, SURE, Stated(None, BY, "its X direction is in seconds, not in cm"), 0.0)
    assert found.origin == "ticks"
    assert found.reason == "DICOM region: its X direction is in seconds, not in cm"


@given(st.floats(), st.floats(), st.floats())
def test_no_number_gives_a_scale_outside_of_the_plausible(row_mm: float, column_mm: float, depth_cm: float) -> None:
    found = calibrate(SECTOR, OPEN, Stated((row_mm, column_mm), BY), depth_cm)
    if found.spacing_mm is not None:
        assert all(PIXEL_MM[0] <= side <= PIXEL_MM[1] for side in found.spacing_mm)
        cm = found.spacing_mm[0] / SECTOR.spacing_from_depth(1.0)[0]
        assert PLAUSIBLE_DEPTH_MM[0] / 10 - 1e-9 <= cm <= PLAUSIBLE_DEPTH_MM[1] / 10 + 1e-9


def test_a_typed_depth_holds_for_the_picture_it_was_typed_for() -> None:
    typed = TypedDepth(16.0, SECTOR, 25.0)
    assert typed.holds_for(SECTOR, SURE)
    assert not typed.holds_for(SECTOR, Scale(0.4, 0.9, (), "", 22.0))
    assert not typed.holds_for(SECTOR, Scale(None, 0.0))
    smaller = find_sector([np.pad(apical_frame(size=300), ((0, 100), (50, 50)))])
    assert not typed.holds_for(smaller, SURE)
