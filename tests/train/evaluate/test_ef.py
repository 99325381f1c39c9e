from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from tests.train.small import samples
from train.data import open_data
from train.data.camus import read_ef, read_split
from train.evaluate.ef import Agreement, agreement, ejection_fractions, matched, volume_ml
from train.evaluate.segmentation import compare_ef


def test_volume_and_ef_follow_the_mask() -> None:
    frames = samples(1)
    ed, es = (volume_ml(s.mask, s.spacing_mm) for s in frames)
    assert ed is not None
    assert es is not None
    assert volume_ml(frames[0].mask, (2.0, 2.0)) == pytest.approx(8 * ed)
    found = ejection_fractions((s, s.mask) for s in frames)
    assert found == {("patient0001", "A4C"): pytest.approx(100 * (ed - es) / ed)}
    assert found["patient0001", "A4C"] == pytest.approx(36, abs=4)  # the width shrinks to 0.8: 1 - 0.8^2


def test_frames_without_a_wall_or_a_partner_give_no_ef() -> None:
    ed, es = samples(1)
    assert volume_ml((ed.mask == 1).astype(np.uint8), ed.spacing_mm) is None
    assert ejection_fractions([(ed, ed.mask)]) == {}
    assert ejection_fractions([(ed, ed.mask), (es, np.zeros_like(es.mask))]) == {}


def test_agreement_is_bland_and_altmans() -> None:
    fit = agreement(np.array([50.0, 60.0, 40.0]), np.array([52.0, 58.0, 44.0]))
    spread = 1.96 * np.std([-2, 2, -4], ddof=1)
    assert (fit.n, fit.mae, fit.bias) == (3, pytest.approx(8 / 3), pytest.approx(-4 / 3))
    assert (fit.low, fit.high) == (pytest.approx(-4 / 3 - spread), pytest.approx(-4 / 3 + spread))
    assert fit.r == pytest.approx(np.corrcoef([50, 60, 40], [52, 58, 44])[0, 1])
    assert np.isnan(agreement(np.array([50.0]), np.array([52.0])).low)


def test_matching_takes_patients_of_one_view_with_a_reference() -> None:
    found, reference = matched(
        {("b", "A4C"): 50.0, ("a", "A4C"): 40.0, ("a", "A2C"): 1.0}, {"a": 41.0, "b": 52.0}, "A4C"
    )
    assert found.tolist() == [40, 50]
    assert reference.tolist() == [41, 52]
    with pytest.raises(DataError, match="no patient has both"):
        matched({("a", "A4C"): 50.0}, {"b": 1.0}, "A4C")


def test_other_data_have_no_reference() -> None:
    with pytest.raises(DataError, match="needs camus"):
        compare_ef(samples(1), [s.mask for s in samples(1)], "folder:/data")


def test_the_model_is_set_beside_the_experts(tmp_path: Path) -> None:
    (tmp_path / "patients_info.csv").write_text("Patient,EF\npatient0001,50\npatient0002,40\n")
    frames = samples(2)
    shrunk = [np.where(s.phase == "ES", samples(2)[1].mask, s.mask).astype(np.uint8) for s in frames]
    pairs = compare_ef(frames, shrunk, f"camus:{tmp_path}")
    assert list(pairs) == ["model A4C", "experts A4C"]
    assert pairs["experts A4C"][1].tolist() == [50, 40]


def test_bland_altman_figure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from train.figures import bland_altman

    pair = (np.array([50.0, 60.0, 40.0]), np.array([52.0, 58.0, 44.0]))
    for name in ("a.png", "b.png"):
        bland_altman(tmp_path / name, {"model": pair, "experts": pair}, "EF")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.data
def test_experts_masks_against_the_real_reference(shared_data: Path) -> None:
    """The floor of a single plane: what the experts' own four-chamber masks give on the official split."""
    root = shared_data / "camus"
    frames = list(open_data(f"camus:{root}", read_split(root / "split_valid.txt")))
    found = ejection_fractions((s, s.mask) for s in frames)
    fit: Agreement = agreement(*matched(found, read_ef(root), "A4C"))
    assert fit.n == 50
    assert fit.r == pytest.approx(0.842, abs=0.02)
    assert fit.mae == pytest.approx(6.93, abs=0.3)


def test_ef_uses_both_phases_of_each_view() -> None:
    ed, es = samples(1)
    other = [replace(s, view="A2C") for s in (ed, es)]
    found = ejection_fractions([(s, s.mask) for s in (ed, es, *other)])
    assert found["patient0001", "A4C"] == found["patient0001", "A2C"]
