from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.train.small import samples
from train.evaluate.relation import Judged, by_thirds, relation


def test_groups_are_equal_and_ordered_by_quality() -> None:
    quality = np.array([3.0, 1.0, 2.0, 5.0, 4.0, 6.0])
    reference = np.full(6, 50.0)
    table = by_thirds(quality, reference + np.array([0, -9, 9, 1, 0, -1]), reference)
    assert [(name, row["from"], row["to"], row["n"]) for name, row in table.items()] == [
        ("low", 1, 2, 2),
        ("middle", 3, 4, 2),
        ("high", 5, 6, 2),
    ]
    assert table["low"]["high"] - table["low"]["low"] > table["high"]["high"] - table["high"]["low"]


def test_the_relation_of_frames_whose_error_falls_with_quality() -> None:
    frames = samples(12)
    found_es = frames[1].mask
    rows = [
        Judged(s, float(k // 2), 0.7 + 0.01 * k, 0.6 + 0.01 * k, found_es if s.phase == "ES" else s.mask)
        for k, s in enumerate(frames)
    ]  # frames k, k + 1 are one patient's ED and ES
    found = relation(rows)
    assert set(found) == {"A4C"}
    assert found["A4C"]["dice"]["dice_lv"]["spearman"] == pytest.approx(1, abs=0.01)
    ef = found["A4C"]["ef"]
    assert sum(row["n"] for row in ef["groups"].values()) == len(ef["difference"]) == 12
    assert ef["difference"][0] == 0  # the first patient's mask is the expert's own
    assert max(ef["difference"]) > 5  # in wider ventricles the same mask at ES is a larger EF
    assert "ef" not in relation(rows[:6])["A4C"]
    unknown = relation([replace(r, sample=replace(r.sample, phase="")) for r in rows])
    assert "ef" not in unknown["A4C"]
