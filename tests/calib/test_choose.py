from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from calib.choose import calibration_inputs, choose_frames, digest_of
from edge.errors import DataError
from edge.preprocess import PreprocessSpec
from tests.phantom import apical_frame


@dataclass(frozen=True)
class Frame:
    image: NDArray[np.uint8]
    view: str
    phase: str
    patient: str


FRAMES = [
    Frame(apical_frame(size=100), view, phase, f"p{number}")
    for number in range(20)
    for view in ("A4C", "A2C")
    for phase in ("ED", "ES")
]


def test_views_and_phases_take_turns_and_evaluation_patients_stay_out() -> None:
    chosen = choose_frames(FRAMES, 12, {"p0", "p1"})
    counts = {}
    for frame in chosen:
        counts[frame.view, frame.phase] = counts.get((frame.view, frame.phase), 0) + 1
    assert counts == {("A4C", "ED"): 3, ("A4C", "ES"): 3, ("A2C", "ED"): 3, ("A2C", "ES"): 3}
    assert not {"p0", "p1"} & {frame.patient for frame in chosen}


def test_the_seed_decides() -> None:
    names = [[f.patient for f in choose_frames(FRAMES, 8, set(), seed)] for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(DataError, match="all patients are in the evaluation split"):
        choose_frames(FRAMES, 4, {f"p{k}" for k in range(20)})


def test_inputs_go_through_the_runtime_preprocess_and_have_a_name() -> None:
    inputs = calibration_inputs(FRAMES[:2], PreprocessSpec(64))
    assert inputs[0].shape == (1, 1, 64, 64)
    assert inputs[0].dtype == np.uint8
    assert digest_of(inputs) == digest_of([array.copy() for array in inputs])
    assert digest_of(inputs) != digest_of([inputs[0], 255 - inputs[1]])
