from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edge.heart.measure import DISCS, Ventricle, biplane_volume
from edge.heart.view import VIEWS, SceneCheck, ViewTracker
from edge.synth import SyntheticLoop


def sure(view: str, probability: float = 1.0) -> np.ndarray:
    rest = (1 - probability) / (len(VIEWS) - 1)
    return np.array([probability if name == view else rest for name in VIEWS], np.float32)


def test_a_view_is_named_when_it_is_sure_and_held_through_a_few_doubts() -> None:
    tracker = ViewTracker()
    names = [tracker.update(sure("A4C")).name for _ in range(20)]
    assert names[0] == ""
    assert names[-1] == "A4C"
    assert sum(a != b for a, b in pairwise(names)) == 1
    assert [tracker.update(sure("A2C")).name for _ in range(3)] == ["A4C"] * 3
    names = [tracker.update(sure("A2C")).name for _ in range(20)]
    assert names[-1] == "A2C"
    assert [n for k, n in enumerate(names) if not k or n != names[k - 1]] in (["A4C", "", "A2C"], ["", "A2C"])


def test_a_view_between_two_stays_unnamed_and_nan_changes_nothing() -> None:
    tracker = ViewTracker()
    assert {tracker.update(sure("A3C", 0.6)).name for _ in range(50)} == {""}
    before = tracker.update(sure("A3C", 0.6))
    after = tracker.update(np.full(3, np.nan, np.float32))
    assert after == before
    assert after.probability == pytest.approx(0.6, abs=0.01)


def test_nan_before_anything_else() -> None:
    assert ViewTracker().update(np.full(3, np.nan, np.float32)).name == ""


def test_a_beating_heart_is_one_scene_and_another_loop_another() -> None:
    loops = [SyntheticLoop(seed, view, 96) for seed, view in enumerate(("A4C", "A2C", "A3C"))]
    check = SceneCheck()
    for loop in loops:
        cuts = [check.is_cut(loop.frame(number).image) for number in range(0, len(loop), 3)]
        assert cuts == [loop is not loops[0]] + [False] * (len(cuts) - 1)
    assert not SceneCheck().is_cut(np.zeros((96, 96), np.uint8))


def cone(length_mm: float, base_mm: float) -> Ventricle:
    diameters = base_mm * (1 - (np.arange(DISCS) + 0.5) / DISCS)
    return Ventricle(1.0, 1.0, length_mm, biplane_volume(length_mm, diameters, diameters), diameters)


def test_the_volume_of_an_elliptic_cone() -> None:
    """pi/12 a b L; twenty discs come within a thousandth."""
    one, other = cone(90, 50), cone(90, 40)
    assert one.diameters_mm is not None
    assert other.diameters_mm is not None
    expected_ml = np.pi / 12 * 50 * 40 * 90 / 1000
    assert biplane_volume(90, one.diameters_mm, other.diameters_mm) == pytest.approx(expected_ml, rel=1e-3)
