from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from tests.train.small import samples
from train.data import open_data
from train.data.camus import ReferenceEf, read_reference_ef, read_split
from train.data.sample import Sample
from train.evaluate.ef import (
    agreement,
    biplane_ef,
    common_height_ef,
    compare_ef,
    matched,
    planes_of,
    single_plane_ef,
    volume_ml,
)
from train.evaluate.segmentation import ef_rows


def both_views(patients: int) -> list[Sample]:
    """A2C is 1.2 times as large as A4C, its long axis with it."""
    frames = samples(patients)
    return [*frames, *(replace(s, view="A2C", spacing_mm=(1.2, 1.2)) for s in frames)]


def test_volume_and_ef_follow_the_mask() -> None:
    frames = samples(1)
    ed, es = (volume_ml(s.mask, s.spacing_mm) for s in frames)
    assert ed is not None
    assert es is not None
    assert volume_ml(frames[0].mask, (2.0, 2.0)) == pytest.approx(8 * ed)
    found = single_plane_ef(planes_of((s, s.mask) for s in frames), "A4C")
    assert found == {"patient0001": pytest.approx(100 * (ed - es) / ed)}
    assert found["patient0001"] == pytest.approx(36, abs=4)  # the width shrinks to 0.8: 1 - 0.8^2


def test_frames_without_a_wall_or_a_partner_give_no_ef() -> None:
    ed, es = samples(1)
    assert volume_ml((ed.mask == 1).astype(np.uint8), ed.spacing_mm) is None
    assert single_plane_ef(planes_of([(ed, ed.mask)]), "A4C") == {}
    assert single_plane_ef(planes_of([(ed, ed.mask), (es, np.zeros_like(es.mask))]), "A4C") == {}


def test_the_two_formulas_differ_by_the_long_axis_alone() -> None:
    """Each phase's own long axis against one disc height for both: the shortening is what the second leaves out."""
    planes = planes_of((s, s.mask) for s in both_views(1))
    shorter = {
        key: discs._replace(length_mm=0.9 * discs.length_mm) if key[2] == "ES" else discs
        for key, discs in planes.items()
    }
    (before,), (own,) = biplane_ef(planes).values(), biplane_ef(shorter).values()
    (common,) = common_height_ef(shorter).values()
    assert 100 - own == pytest.approx(0.9 * (100 - before))
    longest = [max(planes["patient0001", view, phase].length_mm for view in ("A4C", "A2C")) for phase in ("ED", "ES")]
    assert 100 - common == pytest.approx((100 - before) * longest[0] / longest[1])
    assert biplane_ef({key: discs for key, discs in planes.items() if key[1] == "A4C"}) == {}


def test_agreement_is_bland_and_altmans() -> None:
    fit = agreement(np.array([50.0, 60.0, 40.0]), np.array([52.0, 58.0, 44.0]))
    spread = 1.96 * np.std([-2, 2, -4], ddof=1)
    assert (fit.n, fit.mae, fit.bias) == (3, pytest.approx(8 / 3), pytest.approx(-4 / 3))
    assert (fit.low, fit.high) == (pytest.approx(-4 / 3 - spread), pytest.approx(-4 / 3 + spread))
    assert fit.r == pytest.approx(np.corrcoef([50, 60, 40], [52, 58, 44])[0, 1])
    assert np.isnan(agreement(np.array([50.0]), np.array([52.0])).low)


def test_intervals_come_from_patients_drawn_anew() -> None:
    rng = np.random.default_rng(3)
    reference = rng.uniform(30, 70, 60)
    fit = agreement(reference + rng.normal(0, 5, 60), reference)
    for value, (low, high) in ((fit.r, fit.r_ci95), (fit.mae, fit.mae_ci95), (fit.bias, fit.bias_ci95)):
        assert low < value < high
    assert fit.mae_ci95[1] - fit.mae_ci95[0] == pytest.approx(4 * 5 * 0.6 / 60**0.5, rel=0.4)
    assert fit.far == np.mean(np.abs(rng.normal(0, 0, 60)) > 15) == 0


def test_matching_takes_patients_that_have_both() -> None:
    pair = matched({"b": 50.0, "a": 40.0, "c": 1.0}, {"a": 41.0, "b": 52.0})
    assert pair.found.tolist() == [40, 50]
    assert pair.reference.tolist() == [41, 52]


def test_without_both_phases_there_is_nothing_to_compare() -> None:
    with pytest.raises(DataError, match="needs both phases"):
        compare_ef([(s, s.mask) for s in samples(2) if s.phase == "ED"])


def test_each_reference_is_met_by_its_own_formula() -> None:
    frames = both_views(2)
    shrunk = [(s, samples(2)[1].mask if s.phase == "ES" else s.mask) for s in frames]
    planes = planes_of((s, s.mask) for s in frames)
    reference = ReferenceEf(biplane={}, common_height=common_height_ef(planes))
    pairs = compare_ef(shrunk, reference)
    assert list(pairs) == [
        "A2C, one plane",
        "A4C, one plane",
        "biplane",
        "one disc height",
        "one disc height, experts' masks",
    ]
    assert pairs["biplane"].reference.tolist() == list(biplane_ef(planes).values())
    exact = pairs["one disc height, experts' masks"]
    assert exact.found.tolist() == exact.reference.tolist()
    assert "biplane, against LVef" in compare_ef(shrunk, ReferenceEf(biplane={"patient0001": 60.0}, common_height={}))
    rows = ef_rows({"ef": {"biplane": {"against": "x", **asdict(agreement(*pairs["biplane"][:2]))}}})
    assert rows[0][:3] == ["biplane", "x", "2"]


def test_bland_altman_figure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from train.figures import bland_altman

    pair = (np.array([50.0, 60.0, 40.0]), np.array([52.0, 58.0, 44.0]))
    for name in ("a.png", "b.png"):
        bland_altman(tmp_path / name, {"model": pair, "experts": pair}, "EF")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.data
def test_the_nifti_release_holds_the_ef_of_one_disc_height(shared_data: Path) -> None:
    """The experts' four-chamber masks alone are already nearer to it by that formula; with both views it is met."""
    root = shared_data / "camus"
    frames = list(open_data(f"camus:{root}", read_split(root / "split_valid.txt")))
    planes = planes_of((s, s.mask) for s in frames)
    reference = read_reference_ef(root).common_height
    assert reference["patient0001"] == 54
    doubled = {(p, view, phase): discs for (p, _, phase), discs in planes.items() for view in ("A4C", "A2C")}
    by_formula = [agreement(*matched(f(doubled), reference)[:2]).bias for f in (biplane_ef, common_height_ef)]
    assert by_formula[0] == pytest.approx(3.84, abs=0.3)
    assert by_formula[1] < by_formula[0] - 5


@pytest.mark.data
def test_the_metaimage_release_holds_the_biplane_ef(shared_data: Path) -> None:
    root = shared_data / "camus_mhd"
    found = biplane_ef(planes_of((s, s.mask) for s in open_data(f"camus:{root}")))
    reference = read_reference_ef(root)
    assert not reference.common_height
    assert found == pytest.approx(dict(reference.biplane), abs=0.5)
