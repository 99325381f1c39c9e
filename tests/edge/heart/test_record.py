from __future__ import annotations

import numpy as np
import pytest

from edge.heart.beats import BeatDetector
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
) -> Heart:
    """A recording at 60 beats a minute with a detector of its own, as the analyser has."""
    detector, heart = BeatDetector(), record.heart
    record.interrupt()
    for k in range(round(beats * FPS)):
        shape = shape_of_phase((k / FPS + 0.7) % 1, in_mm, size)
        event = detector.update(k, from_s + k / FPS, shape.area)
        heart = record.update(from_s + k / FPS, view, None if k in withheld else shape, [event] if event else [])
    return heart


def test_the_last_beats_in_figures() -> None:
    heart = watch(HeartRecord())
    assert heart.view == "A4C"
    assert heart.rhythm is not None
    assert heart.rhythm.rate_bpm == pytest.approx(60, rel=0.01)
    edv, esv = cone_ml(90, 50, 50), cone_ml(80, 40, 40)
    assert heart.ef is not None
    assert heart.edv is not None
    assert heart.co is not None
    assert heart.mapse is not None
    assert heart.length is not None
    assert heart.ef.median == pytest.approx(100 * (1 - esv / edv), abs=0.5)
    assert heart.ef.n >= 3
    assert heart.ef.low <= heart.ef.median <= heart.ef.high
    assert heart.edv.median == pytest.approx(edv, rel=0.01)
    assert heart.co.median == pytest.approx(60 * (edv - esv) / 1000, rel=0.03)
    assert heart.mapse.median == pytest.approx(10, abs=0.3)
    assert heart.length.median == pytest.approx(90, abs=0.5)
    assert heart.fac is not None
    assert heart.fac.median == pytest.approx(100 * (1 - 80 * 40 / (90 * 50)), abs=0.5)
    assert heart.strain is not None
    assert heart.strain.median < 0
    assert heart.atrium is not None


def test_ratios_need_no_millimetre() -> None:
    heart, in_mm = watch(HeartRecord(), in_mm=False), watch(HeartRecord())
    assert (heart.edv, heart.esv, heart.co, heart.mapse, heart.length, heart.atrium) == (None,) * 6
    assert heart.ef == in_mm.ef
    assert heart.fac == in_mm.fac
    assert heart.strain == in_mm.strain


@pytest.mark.parametrize("view", ["", "A3C"])
def test_a_view_without_discs_has_no_ef(view: str) -> None:
    record = HeartRecord()
    heart = watch(record, view)
    assert (heart.ef, heart.edv) == (None, None)
    assert heart.fac is not None
    assert record.ejection_fractions(view) == ()


def test_finished_beats_outlive_an_interruption_with_their_age() -> None:
    record = HeartRecord()
    before = watch(record)
    record.interrupt()
    later = record.update(9.0, "A4C", None, [])
    assert later.ef == before.ef
    assert later.age_s == pytest.approx(9.0 - 4.27 + before.age_s, abs=0.05)
    back = record.update(0.0, "A4C", None, [])
    assert back.age_s == later.age_s  # a loop that begins again makes no beat younger


def test_beats_of_another_view_stand_until_the_new_one_has_its_own() -> None:
    record = HeartRecord()
    before = watch(record)
    marks = len(record.marks)
    between = watch(record, "A2C", beats=1.2, from_s=60.0, withheld=range(12, 36))
    assert len(record.marks) == marks + 2
    assert (between.view, between.ef) == ("A4C", before.ef)
    assert watch(record, "A2C", beats=2.3, from_s=90.0).view == "A2C"


def test_frames_withheld_around_one_mark_cost_that_beat_alone() -> None:
    whole, gap = HeartRecord(), HeartRecord()
    watch(whole, beats=5.3)
    watch(gap, beats=5.3, withheld=range(55, 75))
    assert len(gap.beats["A4C"]) == len(whole.beats["A4C"]) - 1
    assert gap.heart.ef is not None
    watch(gap, beats=0.2, from_s=9.0, withheld=range(100))
    assert gap.heart.ef is not None


def test_biplane_comes_about_across_an_interruption_and_goes_with_the_patient() -> None:
    record = HeartRecord()
    watch(record, "A4C")
    assert record.biplane is None
    watch(record, "A2C", from_s=60.0, size=0.95)
    assert record.biplane is not None
    assert record.biplane.edv_ml == pytest.approx(cone_ml(90, 50, 47.5), rel=0.01)
    assert not record.biplane.warning
    watch(record, "A2C", from_s=120.0, size=0.8, beats=7.3)
    assert record.biplane.warning.startswith("A2C foreshortened")
    assert HeartRecord().biplane is None


def test_a_scale_that_no_heart_has_leaves_ratios_alone() -> None:
    record = HeartRecord()
    heart = watch(record, size=2.4)
    assert heart.edv is None
    assert "LV length 216 mm: above 130" in heart.reason
    assert record.impossible_in_mm("A4C") == heart.reason
    assert heart.ef is not None


def test_a_one_beat_clip_has_an_ef() -> None:
    record, detector = HeartRecord(), BeatDetector()
    for k in range(14):
        shape = shape_of_phase(k / FPS)
        assert detector.update(k, k / FPS, shape.area) is None
        record.update(k / FPS, "A4C", shape, [])
    heart = record.close("A4C", detector.finish())
    assert heart.ef is not None
    assert heart.ef.median == pytest.approx(100 * (1 - 80 * 40**2 / (90 * 50**2)), abs=2)
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
            assert record.heart.ef is not None
    assert not any(beat.borrows_ed for beat in record.beats["A4C"])


def test_what_is_known_as_plain_values() -> None:
    assert known(HeartRecord().heart) == {}
    row = known(watch(HeartRecord()))
    assert row["ef"]["n"] >= 3
    assert row["rate_bpm"] == pytest.approx(60, rel=0.01)
    assert "sphericity" in row
    assert "reason" not in row
