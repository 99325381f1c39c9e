"""Evaluation on data that do not annotate every class."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from compile.score import Trial, score_segmenter
from edge.nets.model import Segmenter
from tests.edge.nets.doubles import nets
from tests.train.small import samples
from train.data.clips import Clip
from train.data.sample import LV, MYOCARDIUM, Sample
from train.evaluate import clips as whole_clips
from train.evaluate.relation import Judged, relation
from train.evaluate.segmentation import HEADINGS, evaluate_frame, summarise, table_rows


def lv_alone(patients: int, first: int = 1) -> list[Sample]:
    """Samples of which the LV alone was drawn."""
    made = samples(patients, first)
    return [replace(s, mask=np.where(s.mask == LV, s.mask, 0).astype(np.uint8), known=(LV,)) for s in made]


def test_a_class_that_is_not_annotated_has_no_figures() -> None:
    drawn, whole = lv_alone(2), samples(2)
    rows = [evaluate_frame(full.mask, sample) for full, sample in zip(whole, drawn, strict=True)]
    result = summarise(rows, drawn)
    assert result["dice"] == {"lv": 1.0, "myo": None, "la": None}
    assert result["iou"]["myo"] is result["hd95"]["la"] is None
    assert result["miou"] == 1.0
    assert result["ci95"]["dice"]["myo"] == [None, None]
    assert "NaN" not in json.dumps(result)
    table = [dict(zip(HEADINGS, row, strict=True)) for row in table_rows(result)]
    assert {row["Dice (95 %)"] for row in table if row["class"] != "lv"} == {"-"}
    assert {row["IoU"] for row in table if row["class"] != "lv"} == {"-"}
    assert {row["Dice (95 %)"] for row in table if row["class"] == "lv"} == {"1.0000 (1.0000-1.0000)"}


def test_frames_that_annotate_a_class_alone_count_for_it() -> None:
    mixed = [*samples(1), *lv_alone(1, first=2)]
    worse = [np.where(s.mask == MYOCARDIUM, 0, s.mask).astype(np.uint8) for s in mixed]
    result = summarise([evaluate_frame(mask, s) for mask, s in zip(worse, mixed, strict=True)], mixed)
    assert result["dice"]["myo"] == 0.0  # of the two frames that show it, not the mean with two that say nothing
    assert result["dice"]["la"] == 1.0
    assert result["n"] == 4


def test_clips_say_nothing_of_what_is_not_annotated() -> None:
    segmenter, *_ = nets()
    clip = Clip(tuple(lv_alone(1)))
    row = whole_clips.judge_clip(clip, whole_clips.show_clip(segmenter, clip))
    assert np.isnan([row["myo"], row["la"]]).all()
    assert 0.3 < row["lv"] <= 1
    result = whole_clips.evaluate_clips(segmenter, [clip])
    assert result["myo"] is None
    cells = dict(zip(whole_clips.HEADINGS, whole_clips.cells(result), strict=True))
    assert (cells["myocardium"], cells["LA"]) == ("-", "-")


def test_a_gate_judges_the_views_whose_lv_is_annotated() -> None:
    segmenter, *_ = nets()
    wall_alone = [replace(s, view="A2C", known=(MYOCARDIUM,)) for s in samples(1)]
    scores = score_segmenter(cast(Segmenter, segmenter), Trial("made", (*lv_alone(1), *wall_alone)))
    assert {view for view, _ in scores} == {"A4C"}
    assert scores["A4C", "LV Dice"] > 0.3


def test_quality_is_related_to_what_is_annotated() -> None:
    pytest.importorskip("scipy")
    rows = [
        Judged(sample, float(number), 0.8 + 0.01 * number, float("nan"), sample.mask)
        for number, sample in enumerate(lv_alone(3))
    ]
    assert list(relation(rows)["A4C"]["dice"]) == ["dice_lv"]
