from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import DataError
from tests.train.small import samples
from train.data.split import check_sides, draw_patients, fold_patients, require_disjoint, split_samples


def test_overlap_is_refused_by_name() -> None:
    require_disjoint(["a"], ["b"])
    with pytest.raises(DataError, match="1 patients are in both training and validation: b"):
        require_disjoint(["a", "b"], ["b", "c"])
    with pytest.raises(DataError, match="patient0002"):
        check_sides(samples(2), samples(1, first=2))


def test_every_frame_of_a_patient_is_on_one_side() -> None:
    training, validation = split_samples(samples(4), ["patient0002"], ["patient0003"])
    assert {s.patient for s in training} == {"patient0001", "patient0004"}
    assert [s.phase for s in validation] == ["ED", "ES"]


def test_a_misspelt_split_is_refused() -> None:
    with pytest.raises(DataError, match="no frame is left for validation"):
        split_samples(samples(2), ["patient002"])


@settings(deadline=None)
@given(st.sets(st.text(min_size=1), min_size=2, max_size=40), st.integers(0, 100))
def test_drawing_is_seeded_and_leaves_both_sides(names: set[str], seed: int) -> None:
    drawn = draw_patients(names, seed)
    assert drawn == draw_patients(sorted(names, reverse=True), seed)
    assert 0 < len(drawn) < len(names)
    assert drawn < names


@settings(deadline=None)
@given(st.sets(st.text(min_size=1), min_size=2, max_size=40), st.integers(2, 12), st.integers(0, 100))
def test_folds_hold_every_patient_out_once(names: set[str], count: int, seed: int) -> None:
    if count > len(names):
        with pytest.raises(DataError, match="folds"):
            fold_patients(names, count, seed)
        return
    folds = fold_patients(names, count, seed)
    assert sorted(name for fold in folds for name in fold) == sorted(names)
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
    assert folds == fold_patients(sorted(names, reverse=True), count, seed)
