from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.heart.analysis import Analysis
from edge.heart.beats import BeatDetector, Event
from edge.heart.best import Best, BestFrames, rated
from edge.heart.measure import Ventricle
from edge.preprocess import Box
from edge.sources import Captured
from tests.edge.heart.test_visibility import REGIONS


def analysed(number: int, score: float, event: Event | None = None, volume_ml: float | None = None) -> Analysis:
    frame = Captured(number, np.zeros((4, 4), np.uint8), 0, number / 30)
    scores = np.full(8, score, np.float32)
    return Analysis(
        frame=frame,
        box=Box(0, 0, 4),
        mask=np.zeros((4, 4), np.uint8),
        regions=REGIONS,
        scores=scores,
        ventricle=Ventricle(1, 1, 1, volume_ml),
        event=event,
    )


def run(areas: np.ndarray, scores: np.ndarray) -> tuple[BestFrames, int]:
    """(best frames, the most frames that were ever kept)."""
    found, beats, most = BestFrames(), BeatDetector(), 0
    for number, (area, score) in enumerate(zip(areas, scores)):
        event = beats.update(number, number / 30, float(area))
        found.update(analysed(number, float(score), event, float(area) * 4), beats.candidates())
        most = max(most, len(found._kept))
    return found, most


def test_the_best_of_five_beats_is_kept() -> None:
    frames = np.arange(240)
    areas = 22.5 + 7.5 * np.cos(2 * np.pi * (frames - 5) / 40)
    scores = np.where((frames > 80) & (frames < 130), 4.0, 3.0)
    found, most = run(areas, scores)
    best = found.best
    assert best.ed is not None
    assert best.es is not None
    assert best.beat is not None
    assert best.ed.analysis.frame.number == pytest.approx(85, abs=2)
    assert best.es.analysis.frame.number == pytest.approx(105, abs=2)
    assert [r.analysis.frame.number for r in best.beat] == [
        best.ed.analysis.frame.number,
        best.es.analysis.frame.number,
    ]
    assert best.ejection_fraction_percent == pytest.approx(50, abs=1)
    assert most <= 8


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1.0), st.integers(12, 60))
def test_hardly_an_event_is_missed_and_memory_stays_bounded(seed: int, noise: float, period: int) -> None:
    frames = np.arange(300)
    areas = 22.5 + 7.5 * np.cos(2 * np.pi * frames / period) + noise * np.random.default_rng(seed).standard_normal(300)
    found, beats, most = BestFrames(), BeatDetector(), 0
    missed = 0
    for number, area in enumerate(areas):
        event = beats.update(number, number / 30, float(area))
        missed += event is not None and not any(abs(event.frame - kept) <= 2 for kept in found._kept)
        found.update(analysed(number, 3, event), beats.candidates())
        most = max(most, len(found._kept))
    assert missed <= 0.1 * len(beats.events)
    assert most <= 8


def test_one_missing_region_costs_more_than_haze() -> None:
    hazy, gap = analysed(0, 3), analysed(1, 3.6)
    gap.scores[2] = 1
    one, other = rated("ED", hazy), rated("ED", gap)
    assert one is not None
    assert other is not None
    assert other.mean > one.mean
    assert one.rating > other.rating


def test_frames_without_scores_or_regions_are_no_choice() -> None:
    assert rated("ED", analysed(0, np.nan)) is None


def test_a_new_picture_drops_what_was_begun_and_keeps_what_was_found() -> None:
    frames = np.arange(100)
    found, _ = run(22.5 + 7.5 * np.cos(2 * np.pi * frames / 40), np.full(100, 3.0))
    before = found.best
    assert before != Best()
    found.restart()
    assert found.update(analysed(0, 5, Event(kind="ED", frame=99, time_s=3.3, area=1)), ()) == before
