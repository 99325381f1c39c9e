import cv2
import numpy as np
import pytest

from edge.errors import DataError
from edge.screen.sector import find_sector
from train.data import open_data
from train.data.sample import LA, LV, MYOCARDIUM
from train.data.synthetic import SHARES, as_experts_draw, samples_of


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


def test_wider_draws_are_other_frames_of_the_same_hearts_names() -> None:
    """The apex lies deeper, as in real recordings, and the atrium's mask ends with the sector, whose edge cuts it in
    some.
    """
    narrow = [sample for seed in range(20, 26) for sample in samples_of(seed)]
    wide = [sample for seed in range(20, 26) for sample in samples_of(seed, wide=True)]
    assert [s.source for s in wide] == [s.source for s in narrow]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(wide, samples_of(20, wide=True)))
    tops = [
        np.mean([np.flatnonzero((s.mask == LV).any(1))[0] / len(s.mask) for s in found]) for found in (wide, narrow)
    ]
    assert tops[0] > 1.1 * tops[1]
    for sample in wide:
        atrium = sample.mask == LA
        assert not (atrium & ~find_sector([sample.image]).mask).sum() > 0.1 * max(1, atrium.sum())


def test_experts_draw_the_cavity_inside_its_visible_border() -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[30:160, 50:160] = MYOCARDIUM
    mask[50:150, 80:140] = LV
    mask[150:190, 80:140] = LA
    drawn = as_experts_draw(mask, "A4C")
    before, after = (cv2.boundingRect((m == LV).astype(np.uint8)) for m in (mask, drawn))
    assert after[0] == before[0]
    assert after[1] + after[3] == before[1] + before[3]
    assert after[3] / before[3] == pytest.approx(0.94, abs=0.02)
    assert after[2] / before[2] == pytest.approx(0.93, abs=0.02)
    changed = drawn != mask
    assert (drawn[changed] == MYOCARDIUM).all()
    assert (mask[changed] == LV).all()
    assert not as_experts_draw(np.zeros((20, 20), np.uint8), "A4C").any()
