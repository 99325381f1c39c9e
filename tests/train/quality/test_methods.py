from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from edge.errors import DataError
from tests.train.quality.test_crops import crops
from train.quality.classical import METRICS
from train.quality.crops import Crop, Scored
from train.quality.methods import (
    END_TO_END,
    METHODS,
    LabelledFrames,
    agreement,
    grades_ordered,
    interval,
    label_maps,
    make_test_set,
    mapped,
    mean_shift,
    measure,
    regraded,
    wilcoxon_p,
)


class Brightness(torch.nn.Module):
    """A coherence net that answers with the picture itself."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + 1) / 2


@pytest.fixture(scope="module")
def labelled() -> LabelledFrames:
    return make_test_set(crops(6), seed=0)


def know_all(frames: Sequence[Scored]) -> np.ndarray:
    return np.stack([f.scores for f in frames])


def test_each_method_gives_each_region_a_value(labelled: LabelledFrames) -> None:
    found = measure(labelled, Brightness(), know_all)
    assert tuple(found) == METHODS
    for values in found.values():
        assert values.shape == (6, 8)
        assert np.isfinite(values[~np.isnan(labelled.labels)]).all()
    assert set(measure(labelled, None, know_all)) == {*METRICS, END_TO_END}
    maps = label_maps(found, labelled.labels)
    scores = mapped(found, maps)
    assert agreement(scores[END_TO_END], labelled.labels)["mae"] == pytest.approx(0, abs=1e-6)
    assert agreement(scores["intensity"], labelled.labels)["mae"] > 0.1
    assert all(np.nanmin(s) >= 1 and np.nanmax(s) <= 5 for s in scores.values())


def test_gamma_changes_pictures_and_no_label(labelled: LabelledFrames) -> None:
    brighter = regraded(labelled, 0.9)
    np.testing.assert_array_equal(brighter.labels, labelled.labels)
    assert brighter.frames[0].image.mean() > labelled.frames[0].image.mean()
    assert mean_shift(np.array([[1.0, np.nan]]), np.array([[1.5, 2.0]])) == 0.5


def test_frames_without_regions_are_no_test_set() -> None:
    crop = crops(1)[0]
    empty = Crop(crop.image, np.zeros_like(crop.mask), crop.sector, None, "A4C", "ED", "p", "s")
    with pytest.raises(DataError, match="no frame has regions"):
        make_test_set([empty], 0)


def test_agreement_leaves_excluded_regions_out() -> None:
    labels = np.array([[1.0, 2.0, np.nan, 4.0]])
    found = agreement(np.array([[1.2, 2.6, 9.0, 4.0]]), labels)
    assert found == {"n": 3, "spearman": 1.0, "mae": pytest.approx(0.8 / 3), "accuracy": pytest.approx(2 / 3)}
    assert agreement(np.full((1, 4), 2.0), labels)["spearman"] == 0


def test_the_interval_holds_the_value_and_narrows_with_patients() -> None:
    rng = np.random.default_rng(0)
    labels = rng.uniform(1, 5, (60, 8))
    scores = labels + rng.normal(0, 1, labels.shape)
    patients = np.array([f"p{k // 2}" for k in range(60)])
    low, high = interval(scores, labels, patients, draws=100)
    assert low < agreement(scores, labels)["spearman"] < high
    few = interval(scores[:10], labels[:10], patients[:10], draws=100)
    assert high - low < few[1] - few[0]


def test_wilcoxon_tells_a_better_method_and_calls_equal_ones_equal() -> None:
    rng = np.random.default_rng(1)
    labels = rng.uniform(1, 5, (30, 8))
    patients = np.array([f"p{k}" for k in range(30)])
    good, bad = labels + rng.normal(0, 0.2, labels.shape), labels + rng.normal(0, 1, labels.shape)
    assert wilcoxon_p(good, bad, labels, patients) < 1e-4
    assert wilcoxon_p(good, good, labels, patients) == 1


def test_neighbouring_grades_are_compared() -> None:
    rows = grades_ordered({"Good": np.arange(20, 30.0), "Medium": np.arange(10, 20.0), "Poor": np.arange(8, 18.0)})
    assert [(a, b) for a, b, _ in rows] == [("Good", "Medium"), ("Medium", "Poor")]
    assert rows[0][2] < 1e-4 < rows[1][2] < 0.5
