from __future__ import annotations

import numpy as np
import pytest

from edge.errors import DataError
from tests.train.evaluate.test_ef import both_views
from tests.train.small import samples
from train.evaluate.apical import ONE_PLANE, compare_apical, one_plane, shapes_of
from train.evaluate.segmentation import apical_rows


def test_every_measurement_of_the_experts_masks_agrees_with_itself() -> None:
    frames = [(s, s.mask) for s in both_views(3)]
    pairs = compare_apical(frames)
    assert len(pairs) == 2 * len(ONE_PLANE) + 4
    for pair in pairs.values():
        assert len(pair.found) == 3
        assert pair.found == pytest.approx(pair.reference)


def test_what_the_drawn_heart_does_is_found() -> None:
    """At ES its width is 0.8 of that at ED: less area, no shorter axis, an annulus that stays."""
    shapes = shapes_of((s, s.mask) for s in samples(1))
    found = {name: one_plane(shapes, "A4C", name)["patient0001"] for name in ONE_PLANE}
    assert found["FAC %"] == pytest.approx(20, abs=2)
    assert found["MAPSE mm"] == pytest.approx(0, abs=0.6)
    assert found["GLS %"] < 0
    assert found["LV length ED mm"] == pytest.approx(found["LV length ES mm"], abs=1)


def test_without_both_phases_there_is_nothing_to_compare() -> None:
    with pytest.raises(DataError, match="both phases"):
        compare_apical([(s, s.mask) for s in samples(1)[:1]])


def test_rows_have_a_column_each() -> None:
    nan = (np.nan, np.nan)
    fit = dict.fromkeys(("n", "r", "mae", "bias", "low", "high"), 1.0) | dict.fromkeys(
        ("r_ci95", "mae_ci95", "bias_ci95"), nan
    )
    assert len(apical_rows({"measurements": {"A4C FAC %": fit}})[0]) == 6
