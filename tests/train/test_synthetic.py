import numpy as np
import pytest

from edge.errors import DataError
from train.data import open_data
from train.data.synthetic import SHARES, samples_of


def test_a_set_is_the_same_each_time_and_in_workers() -> None:
    pooled = list(open_data("synth:5@20"))
    alone = [sample for seed in range(20, 25) for sample in samples_of(seed)]
    assert [s.source for s in pooled] == [s.source for s in alone]
    for one, other in zip(pooled, alone):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.mask, other.mask)
        assert one.spacing_mm == other.spacing_mm


def test_samples_carry_what_training_needs() -> None:
    samples = list(open_data("synth:3"))
    assert {s.patient for s in samples} == {"synth00000", "synth00001", "synth00002"}
    for sample in samples:
        assert sample.view in SHARES
        assert sample.phase in ("ED", "ES", "")
        assert sample.spacing_mm[0] == sample.spacing_mm[1] > 0
        assert set(np.unique(sample.mask)) <= {0, 1, 2, 3}
        assert (sample.mask == 1).any()


def test_patients_can_be_chosen() -> None:
    assert {s.patient for s in open_data("synth:3", ["synth00002", "patient0001"])} == {"synth00002"}


@pytest.mark.parametrize("place", ["synth:", "synth:many", "synth:0", "synth:5@", "synth:-5"])
def test_a_wrong_name_is_refused(place: str) -> None:
    with pytest.raises(DataError, match="synth"):
        list(open_data(place))
