from __future__ import annotations

import numpy as np
import pytest

from edge.heart.fitted import BIPLANE, NETWORKS, ONE_PLANE
from edge.heart.interval import WELL_SEEN, Fit, breadth, interval_percent, seen_in, unsure
from edge.nets.manifest import find_manifests

FIT = Fit(half_percent=10.0, least_quality=3.0, patients=50, coverage=0.9)


def test_an_interval_is_wider_where_the_wall_is_seen_worse() -> None:
    assert interval_percent(55.0, FIT, WELL_SEEN + 0.4) == (45.0, 65.0)
    low, high = interval_percent(55.0, FIT, WELL_SEEN - 0.5)
    assert (low, high) == pytest.approx((40.0, 70.0))
    assert breadth(np.array([5.0, WELL_SEEN, 2.6])) == pytest.approx([1, 1, 2])


def test_an_interval_holds_the_beats_and_stays_within_0_to_100() -> None:
    assert interval_percent(55.0, FIT, 4.0, spread=20.0) == (35.0, 75.0)
    assert interval_percent(5.0, FIT, 4.0) == (0.0, 15.0)
    assert interval_percent(95.0, FIT, 4.0) == (85.0, 100.0)


def test_below_the_least_quality_ef_is_not_sure() -> None:
    assert unsure(FIT, 3.0) == ""
    assert unsure(FIT, 2.7) == "EF not sure: quality 2.70 at ED or ES, 3.00 needed"


def test_what_is_outside_the_sector_is_not_counted() -> None:
    scores = np.array([1, 4, 4, 4, 3, 1, 1, 1], np.float32)
    included = np.array([False, True, True, True, True, False, False, False])
    assert seen_in(scores, included) == 4.0
    assert seen_in(scores, np.zeros(8, bool)) is None
    assert seen_in(np.full(8, np.nan, np.float32), included) is None


def test_the_constants_are_those_of_the_models_that_are_shipped() -> None:
    """A model that was trained anew needs its interval fitted anew: `echoedge evaluate … --fit-interval`."""
    for name, begins in NETWORKS.items():
        (fp32,) = (m for m, _ in find_manifests(name) if m.precision == "fp32")
        assert fp32.sha256.startswith(begins), name
    assert 0 < BIPLANE.half_percent < ONE_PLANE.half_percent
    for fit in (ONE_PLANE, BIPLANE):
        assert 0.88 <= fit.coverage <= 0.92
