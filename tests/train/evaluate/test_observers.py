from __future__ import annotations

import numpy as np
import pytest

from edge.errors import DataError
from train.data.regional_quality import QualitySample
from train.evaluate.observers import common_frames, error_steps, observer_p, variability


def sample(name: str, score: float) -> QualitySample:
    return QualitySample(np.zeros((4, 4), np.uint8), np.full(8, score, np.float32), "A4C", "p1", name)


def test_frames_are_matched_by_name() -> None:
    frames, scores = common_frames([[sample("a", 1), sample("b", 2)], [sample("b", 4), sample("c", 5)]])
    assert [f.source for f in frames] == ["b"]
    assert scores.tolist() == [[[2.0] * 8], [[4.0] * 8]]
    with pytest.raises(DataError, match="at least two"):
        common_frames([[sample("a", 1)]])
    with pytest.raises(DataError, match="share no frame"):
        common_frames([[sample("a", 1)], [sample("b", 1)]])


def test_errors_are_unions_over_pairs() -> None:
    """Three observers, one region each: e12 u e23 u e13 and e1M u e2M u e3M."""
    scores = np.full((3, 1, 8), np.nan, np.float32)
    scores[:, 0, 0] = 1, 2, 4
    method = np.full((1, 8), 2.0)
    table = variability(scores, {"net": method})
    assert table["observers"]["n"] == table["net"]["n"] == 3
    assert table["observers"]["mae"] == pytest.approx((1 + 2 + 3) / 3)
    assert table["net"]["mae"] == pytest.approx((1 + 0 + 2) / 3)
    steps = error_steps(scores, {"net": method})
    assert steps["observers"] == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 0])
    assert steps["net"] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0, 0])


def test_a_method_between_the_observers_errs_less_than_they() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(1.5, 4.5, (10, 8))
    scores = true + rng.normal(0, 0.7, (3, 10, 8))
    table = variability(scores, {"middle": true})
    assert table["middle"]["mae"] < table["observers"]["mae"]
    assert observer_p(scores, true) < 1e-3
    assert observer_p(np.stack([true, true]), true) == 1
