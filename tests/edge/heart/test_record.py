from __future__ import annotations

import numpy as np
import pytest

from edge.heart.beats import BeatDetector
from edge.heart.fitted import BIPLANE, ONE_PLANE
from edge.heart.interval import interval_percent
from edge.heart.record import Heart, HeartRecord, known
from edge.heart.shape import Shape
from tests.edge.heart.shapes import cone, cone_ml

pytestmark = pytest.mark.portable
FPS = 30


def shape_of_phase(phase: float, in_mm: bool = True, size: float = 1.0) -> Shape:
    """ED 90 x 50 at phase 0, ES 80 x 40 at phase 0.4, in a cosine on either side."""
    into = phase / 0.4 if phase < 0.4 else (1 - phase) / 0.6
    es = (1 - np.cos(np.pi * into)) / 2
    return cone(size * (90 - 10 * es), size * (50 - 10 * es), in_mm)


def watch(
    record: HeartRecord,
    view: str = "A4C",
    beats: float = 4.3,
    from_s: float = 0.0,
    in_mm: bool = True,
    size: float = 1.0,
    withheld: range = range(0),
    quality: float | None = None,
) -> Heart:
    """A recording at 60 beats a minute with a detector of its own, as the analyser has."""
    detector, heart = BeatDetector(), record.heart
    record.interrupt()
    for k in range(round(beats * FPS)):
        shape = shape_of_phase((k / FPS + 0.7) % 1, in_mm, size)
        event = detector.update(k, from_s + k / FPS, shape.area)
        seen = None if k in withheld else shape
        heart = record.update(from_s + k / FPS, view, seen, [event] if event else [], quality)
    return heart


def test_the_last_beats_in_figures() -> None:
    heart = watch(HeartRecord())
    assert heart.view == "A4C"
    assert heart.rhythm is not None
    assert heart.rhythm.rate_bpm == pytest.approx(60, rel=0.01)
    edv, esv = cone_ml(90, 50, 50), cone_ml(80, 40, 40)
    assert heart.ef_percent is not None
    assert heart.edv_ml is not None
    assert heart.co_l_min is not None
    assert heart.mapse_mm is not None
    assert heart.lv_length_mm is not None
    assert heart.ef_percent.median == pytest.approx(100 * (1 - esv / edv), abs=0.5)
    assert heart.ef_percent.n >= 3
    assert heart.ef_percent.low <= heart.ef_percent.median <= heart.ef_percent.high
    assert heart.edv_ml.median == pytest.approx(edv, rel=0.01)
    assert heart.co_l_min.median == pytest.approx(60 * (edv - esv) / 1000, rel=0.03)
    assert heart.mapse_mm.median == pytest.approx(10, abs=0.3)
    assert heart.lv_length_mm.median == pytest.approx(90, abs=0.5)
    assert heart.fac_percent is not None
    assert heart.fac_percent.median == pytest.approx(100 * (1 - 80 * 40 / (90 * 50)), abs=0.5)
    assert heart.strain_percent is not None
    assert heart.strain_percent.median < 0
    assert heart.la_volume_ml is not None


def test_ratios_need_no_millimetre() -> None:
    heart, in_mm = watch(HeartRecord(), in_mm=False), watch(HeartRecord())
    assert (heart.edv_ml, heart.esv_ml, heart.co_l_min, heart.mapse_mm, heart.lv_length_mm, heart.la_volume_ml) == (
        None,
    ) * 6
    assert heart.ef_percent == in_mm.ef_percent
    assert heart.fac_percent == in_mm.fac_percent
    assert heart.strain_percent == in_mm.strain_percent


@pytest.mark.parametrize("view", ["", "A3C"])
def test_a_view_without_discs_has_no_ef(view: str) -> None:
    record = HeartRecord()
    heart = watch(record, view)
    assert (heart.ef_percent, heart.edv_ml) == (None, None)
    assert heart.fac_percent is not None


def test_finished_beats_outlive_an_interruption_with_their_age() -> None:
    record = HeartRecord()
    before = watch(record)
    record.interrupt()
    later = record.update(9.0, "A4C", None, [])
    assert later.ef_percent == before.ef_percent
    assert later.age_s == pytest.approx(9.0 - 4.27 + before.age_s, abs=0.05)
    back = record.update(0.0, "A4C", None, [])
    assert back.age_s == later.age_s  # a loop that begins again makes no beat younger


def test_beats_of_another_view_stand_until_the_new_one_has_its_own() -> None:
    record = HeartRecord()
    before = watch(record)
    marks = len(record.marks)
    between = watch(record, "A2C", beats=1.2, from_s=60.0, withheld=range(12, 36))
    assert len(record.marks) == marks + 2
    assert (between.view, between.ef_percent) == ("A4C", before.ef_percent)
    assert watch(record, "A2C", beats=2.3, from_s=90.0).view == "A2C"


def test_frames_withheld_around_one_mark_cost_that_beat_alone() -> None:
    whole, gap = HeartRecord(), HeartRecord()
    watch(whole, beats=5.3)
    watch(gap, beats=5.3, withheld=range(55, 75))
    assert len(gap.beats["A4C"]) == len(whole.beats["A4C"]) - 1
    assert gap.heart.ef_percent is not None
    watch(gap, beats=0.2, from_s=9.0, withheld=range(100))
    assert gap.heart.ef_percent is not None


def test_biplane_comes_about_across_an_interruption_and_goes_with_the_patient() -> None:
    record = HeartRecord()
    watch(record, "A4C")
    assert record.heart.biplane is None
    watch(record, "A2C", from_s=60.0, size=0.95)
    assert record.heart.biplane is not None
    assert record.heart.biplane.edv_ml == pytest.approx(cone_ml(90, 50, 47.5), rel=0.01)
    assert not record.heart.biplane.warning
    watch(record, "A2C", from_s=120.0, size=0.8, beats=7.3)
    assert record.heart.biplane.warning.startswith("A2C foreshortened")
    assert HeartRecord().heart.biplane is None


def test_ef_has_an_interval_where_it_was_fitted_to_the_networks() -> None:
    record = HeartRecord()
    assert watch(record, quality=3.4).ef_interval90_percent is None
    record.is_fitted = True
    heart = watch(record, from_s=60.0, quality=3.4)
    assert heart.ef_percent is not None
    assert heart.ef_interval90_percent == interval_percent(heart.ef_percent.median, ONE_PLANE, 3.4)
    both = watch(record, "A2C", from_s=120.0, quality=3.2).biplane
    assert both is not None
    assert both.ef_percent is not None
    assert both.ef_interval90_percent == interval_percent(both.ef_percent, BIPLANE, 3.2)


def test_where_the_wall_is_seen_badly_ef_is_not_given_and_the_rest_is() -> None:
    record = HeartRecord()
    record.is_fitted = True
    heart = watch(record, quality=2.5)
    assert (heart.ef_percent, heart.ef_interval90_percent) == (None, None)
    assert heart.unsure.startswith("EF not sure: quality 2.5")
    assert heart.fac_percent is not None
    assert heart.edv_ml is not None
    both = watch(record, "A2C", from_s=60.0, quality=4.0).biplane
    assert both is not None
    assert both.ef_percent is None
    assert both.unsure.startswith("EF not sure: quality 2.5")


def test_a_scale_that_no_heart_has_leaves_ratios_alone() -> None:
    record = HeartRecord()
    heart = watch(record, size=2.4)
    assert heart.edv_ml is None
    assert "LV length 216 mm: above 130" in heart.reason
    assert record.impossible_in_mm("A4C") == heart.reason
    assert heart.ef_percent is not None


def test_a_one_beat_clip_has_an_ef() -> None:
    record, detector = HeartRecord(), BeatDetector()
    for k in range(14):
        shape = shape_of_phase(k / FPS)
        assert detector.update(k, k / FPS, shape.area) is None
        record.update(k / FPS, "A4C", shape, [])
    heart = record.close("A4C", detector.finish())
    assert heart.ef_percent is not None
    assert heart.ef_percent.median == pytest.approx(100 * (1 - 80 * 40**2 / (90 * 50**2)), abs=2)
    assert [mark.kind for mark in record.marks] == ["ED", "ES"]


def test_a_clip_from_es_to_ed_borrows_the_next_ed_until_there_is_a_whole_beat() -> None:
    record, detector = HeartRecord(), BeatDetector()
    for k in range(80):
        shape = shape_of_phase((k / FPS + 0.3) % 1)
        event = detector.update(k, k / FPS, shape.area)
        record.update(k / FPS, "A4C", shape, [event] if event else [])
        if k == 28:
            for news in detector.finish():
                record.close("A4C", [news])
            (only,) = record.beats["A4C"]
            assert only.borrows_ed
            assert only.es_frame < only.ed_frame
            assert record.heart.ef_percent is not None
    assert not any(beat.borrows_ed for beat in record.beats["A4C"])


def test_what_is_known_as_plain_values() -> None:
    assert known(HeartRecord().heart) == {}
    row = known(watch(HeartRecord()))
    assert row["ef_percent"]["n"] >= 3
    assert row["heart_rate_bpm"] == pytest.approx(60, rel=0.01)
    assert "sphericity" in row
    assert "reason" not in row
