from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.heart.regions import Regions, find_regions
from edge.heart.visibility import CONSTANT_S, Visibility
from tests.phantom import apical_mask

REGIONS = find_regions(apical_mask(size=256))
assert isinstance(REGIONS, Regions)


def scores(*values: float) -> np.ndarray:
    return np.array([*values, *[4.0] * (8 - len(values))], np.float32)


def test_a_score_around_the_border_does_not_flicker() -> None:
    visibility, seen = Visibility(), []
    for frame in range(100):
        visibility.update(frame / 30, scores(2.5 + 0.2 * (-1) ** frame), REGIONS)
        seen.append(bool(visibility.poor[0]))
    assert len(set(seen)) == 1


@pytest.mark.parametrize("fps", [10, 60])
def test_a_lost_wall_is_poor_within_a_second_at_any_rate(fps: int) -> None:
    visibility = Visibility()
    visibility.update(0, scores(), REGIONS)
    assert not visibility.poor.any()
    turned = None
    for frame in range(1, fps + 1):
        visibility.update(frame / fps, scores(1), REGIONS)
        if turned is None and visibility.poor[0]:
            turned = frame / fps
    assert turned == pytest.approx(CONSTANT_S * np.log(3 / 1.25), abs=1 / fps)
    assert not visibility.poor[1:].any()


def test_outside_the_sector_counts_as_not_visible() -> None:
    outside = replace(REGIONS, visible=np.array([1, 0.2, 1, 1, 1, 1, 1, 1]))
    visibility = Visibility()
    visibility.update(0, scores(), outside)
    assert visibility.outside.tolist() == visibility.poor.tolist() == [k == 1 for k in range(8)]
    for frame in range(30):  # one frame in three inside again
        visibility.update(frame / 30, scores(), REGIONS if frame % 3 == 0 else outside)
        assert visibility.outside[1]


def test_without_scores_nothing_is_known_and_without_regions_it_stays() -> None:
    visibility = Visibility()
    visibility.update(0, scores(1), REGIONS)
    visibility.update(1, scores(), None)
    assert visibility.poor[0]
    visibility.update(2, np.full(8, np.nan, np.float32), REGIONS)
    assert not visibility.known
    assert not visibility.poor.any()
