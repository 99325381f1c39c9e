from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.heart.hint import ALL, APEX, DEEP, DEPTH, LUNG, TOWARDS, WALL, WHOLE, WINDOW, Advisor, advice
from edge.heart.regions import REGIONS as NAMES
from edge.heart.regions import WALLS
from edge.heart.visibility import Visibility
from edge.picture.layout import LEGEND_W, WIDTH
from edge.picture.palette import width_of
from tests.edge.heart.test_visibility import REGIONS

A4C = WALLS["A4C"]


def seen(scores: dict[int, float], outside: tuple[int, ...] = ()) -> Visibility:
    visibility = Visibility()
    values = np.full(8, 4, np.float32)
    for index, score in scores.items():
        values[index] = score
    shares = np.ones(8)
    shares[list(outside)] = 0.1
    visibility.update(0, values, replace(REGIONS, visible=shares))
    return visibility


@pytest.mark.parametrize(
    ("scores", "outside", "subject", "problem", "remedy"),
    [
        ({3: 1.2}, (), "apical lateral", "not visible", APEX),
        ({4: 2.1}, (), "mid lateral", "poor", LUNG),
        ({4: 1.2, 5: 1.4}, (), "lateral wall", "not visible", LUNG),
        ({0: 1.2, 1: 2.1}, (), "septal wall", "not visible", WALL),
        ({2: 1.3, 3: 1.2}, (), "apex", "not visible", APEX),
        ({6: 1.2}, (), "septal annulus", "not visible", DEEP),
        ({6: 1.2, 7: 1.0}, (), "annulus", "not visible", DEEP),
        ({}, (7,), "lateral annulus", "outside the sector", DEPTH),
        ({}, (3, 4), "lateral wall", "outside the sector", TOWARDS),
        (dict.fromkeys(range(6), 2.1), (), "most walls", "poor", ALL),
    ],
)
def test_the_worst_is_named_with_a_remedy(
    scores: dict[int, float], outside: tuple[int, ...], subject: str, problem: str, remedy: str
) -> None:
    hint = advice(seen(scores, outside), A4C)
    assert hint is not None
    assert (hint.subject, hint.problem, hint.remedy) == (subject, problem, remedy)


def test_a_good_picture_needs_no_hint() -> None:
    assert advice(seen({}), A4C) is None
    assert advice(Visibility(), A4C) is None


@pytest.mark.parametrize(
    ("reason", "remedy"), [("no left ventricle found", WINDOW), ("the apex is not visible", WHOLE)]
)
def test_without_regions_the_view_is_the_matter(reason: str, remedy: str) -> None:
    hint = advice(seen({}), A4C, reason)
    assert hint is not None
    assert hint.remedy == remedy


def test_the_hint_does_not_follow_every_frame() -> None:
    advisor, shown = Advisor("A4C"), []
    septal, lateral, good = seen({1: 1.2}), seen({4: 1.2}), seen({})
    for frame in range(400):
        now = good if frame < 50 or frame >= 300 else septal if frame % 2 else lateral
        hint = advisor.update(frame / 50, now, "")
        shown.append(hint.subject if hint else "")
    changes = [(k, shown[k]) for k in range(1, 400) if shown[k] != shown[k - 1]]
    assert [k for k, _ in changes] == [100, 350]
    assert changes[1][1] == ""


@settings(deadline=None)
@given(st.lists(st.floats(1, 5), min_size=8, max_size=8), st.sets(st.integers(0, 7)), st.sampled_from(["", *WALLS]))
def test_every_hint_fits_below_the_picture_and_names_something_poor(
    scores: list[float], outside: set[int], view: str
) -> None:
    visibility = seen(dict(enumerate(scores)), tuple(outside))
    hint = advice(visibility, WALLS.get(view, ("left", "right")))
    assert (hint is None) == (not visibility.poor.any())
    if hint is not None:
        assert width_of(str(hint)) + 30 < WIDTH - LEGEND_W
        assert hint.level <= 2.75


def test_remedies_exist_for_every_region() -> None:
    for index in range(len(NAMES)):
        assert advice(seen({index: 1.0}), A4C) is not None
