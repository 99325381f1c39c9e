from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from tests.phantom import apical_frame, apical_mask
from train.data.sample import LV, MYOCARDIUM, Sample
from train.evaluate.segmentation import CLASSES, EPICARDIUM, evaluate_frame, folder_of, graded, summarise


def sample(patient: str, view: str = "A4C", phase: str = "ED") -> Sample:
    return Sample(apical_frame(), apical_mask(), (0.4, 0.4), view, phase, patient, patient)


def test_the_epicardium_is_cavity_and_wall_as_one() -> None:
    one = sample("p1")
    swapped = one.mask.copy()
    swapped[one.mask == LV], swapped[one.mask == MYOCARDIUM] = MYOCARDIUM, LV
    row = evaluate_frame(swapped, one, CLASSES | EPICARDIUM)
    assert row["dice"]["lv"] < 0.1
    assert row["dice"]["epi"] == 1
    assert row["hd"]["epi"] == 0


def test_groups_are_view_and_phase_or_those_named() -> None:
    samples = [sample("p1"), sample("p1", phase="ES"), sample("p2")]
    rows = [evaluate_frame(s.mask, s) for s in samples]
    assert list(summarise(rows, samples)["groups"]) == ["A4C ED", "A4C ES"]
    by_grade = summarise(rows, samples, ["Good", "Good", "Poor"])["groups"]
    assert {name: part["n"] for name, part in by_grade.items()} == {"Good": 2, "Poor": 1}


def test_grades_are_those_of_the_patients(tmp_path: Path) -> None:
    (tmp_path / "patients_info.csv").write_text("Patient,ImageQuality\np1,Good\np2,Poor\n")
    assert graded([sample("p2"), sample("p1")], tmp_path) == ["Poor", "Good"]
    with pytest.raises(DataError, match="no grade of p3"):
        graded([sample("p3")], tmp_path)
    with pytest.raises(DataError, match="needs the grades of CAMUS"):
        graded([sample("p1")], None)


def test_the_first_folder_of_a_kind() -> None:
    places = ["folder:/a", "echonet-test:/b", "echonet:/c"]
    assert folder_of(places, "echonet") == Path("/b")
    assert folder_of(places, "camus") is None


def test_a_mask_may_lack_a_class() -> None:
    one = sample("p1")
    row = evaluate_frame(np.zeros_like(one.mask), one)
    assert row["dice"]["lv"] == 0
    assert np.isnan(row["hd"]["lv"])
