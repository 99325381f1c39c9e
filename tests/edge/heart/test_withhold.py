from __future__ import annotations

import numpy as np
import pytest

from edge.heart.measure import Ventricle
from edge.heart.visibility import Visibility
from edge.heart.withhold import NO_SCALE, NO_VIEW, NOT_SCORED, Withheld, Withholding
from tests.edge.heart.test_visibility import REGIONS


def seen(*poor: int) -> Visibility:
    visibility = Visibility()
    scores = np.full(8, 4, np.float32)
    scores[list(poor)] = 1.5
    visibility.update(0, scores, REGIONS)
    return visibility


@pytest.mark.parametrize(
    ("view", "calibrated", "area", "volume"),
    [
        ("A4C", True, "", ""),
        ("A2C", True, "", ""),
        ("", True, "", NO_VIEW),
        ("A3C", True, "", "volume needs A4C or A2C, not A3C"),
        ("A4C", False, NO_SCALE, NO_SCALE),
    ],
)
def test_the_set_up_decides_at_once(view: str, calibrated: bool, area: str, volume: str) -> None:
    assert Withholding(view, "" if calibrated else NO_SCALE).update(0, seen(), True, "") == Withheld("", area, volume)


@pytest.mark.parametrize(
    ("poor", "reason"),
    [
        ((), ""),
        ((1,), ""),
        ((0, 2, 4), ""),
        ((6, 7, 0), ""),  # an annulus disc is no segment
        ((2, 3), "apical septal and apical lateral poorly seen"),
        ((0, 1, 5), "basal septal and mid septal poorly seen"),
        ((0, 5), ""),  # neighbours in the list of six only
    ],
)
def test_two_neighbouring_segments_decide(poor: tuple[int, ...], reason: str) -> None:
    assert Withholding("A4C").update(0, seen(*poor), True, "") == Withheld(reason, reason, reason)


def test_bad_moments_change_nothing_and_good_ones_bring_nothing_back() -> None:
    withholding = Withholding("A4C")
    rows = []
    for frame in range(300):
        bad = frame % 10 == 0 if frame < 100 else frame < 200 or frame % 10 == 0
        rows.append(withholding.update(frame / 50, seen(0, 1) if bad and frame > 5 else seen(), True, "").area)
    changes = [k for k in range(1, 300) if rows[k] != rows[k - 1]]
    assert not rows[0]
    assert changes == [pytest.approx(100 + 15, abs=1)]  # after OFF_S, and never back while one frame in ten is bad


def test_what_is_not_measurable_or_not_scored_is_withheld() -> None:
    assert Withholding("A4C").update(0, seen(), True, "the apex is not visible").area == "the apex is not visible"
    assert Withholding("A4C").update(0, Visibility(), False, "").volume == NOT_SCORED


def test_only_what_is_allowed_is_left() -> None:
    whole = Ventricle(900.0, 30.0, 80.0, 110.0)
    assert Withheld().take_from(whole) == whole
    assert Withheld("", "", NO_VIEW).take_from(whole) == Ventricle(900.0, 30.0, 80.0, None)
    assert Withheld("", NO_SCALE, NO_SCALE).take_from(whole) == Ventricle(900.0)
