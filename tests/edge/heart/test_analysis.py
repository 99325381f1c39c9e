from __future__ import annotations

import numpy as np
import pytest

from edge.heart.analysis import EXPIRE_S, SMOOTHING_S, Analyser
from edge.heart.withhold import NO_SCALE, NO_VIEW, NOT_SCORED
from edge.screen.calibration import Calibration
from edge.screen.sector import find_sector
from edge.sources import Captured
from edge.threads.clock import StageClock
from tests.edge.nets.doubles import Net, nets
from tests.phantom import apical_frame

FRAME = apical_frame()


def analyser(spacing_mm: tuple[float, float] | None = (0.5, 0.5), view: str = "A4C") -> tuple[Analyser, Net]:
    segmenter, scorer, _, score_net = nets()
    return Analyser(segmenter, scorer, find_sector([FRAME]), Calibration(spacing_mm), StageClock(), view), score_net


@pytest.mark.parametrize(("fps", "every"), [(10, 1), (60, 1), (60, 10)])
def test_scores_are_smoothed_over_time_and_not_over_frames(fps: int, every: int) -> None:
    at, net = analyser()
    at.analyse(Captured(0, FRAME, 0, 0.0))
    net.answer = lambda: np.full(8, 2, np.float32)
    for number in range(1, round(0.5 * fps) + 1):
        shown = at.analyse(Captured(number, FRAME, 0, number / fps), with_quality=number % every == 0)
    assert shown.scores == pytest.approx(2 + 2 * np.exp(-0.5 / SMOOTHING_S), abs=1e-4)


def test_a_new_sector_begins_afresh() -> None:
    at, net = analyser()
    at.analyse(Captured(0, FRAME, 0, 0.0))
    net.answer = lambda: np.full(8, 2, np.float32)
    again = Analyser(at.segmenter, at.scorer, at.sector, at.calibration, at.clock, "A4C")
    assert again.analyse(Captured(1, FRAME, 0, 0.01)).scores == pytest.approx(2)


def test_a_clock_set_back_takes_the_newest_score() -> None:
    at, net = analyser()
    at.analyse(Captured(0, FRAME, 0, 9.0))
    net.answer = lambda: np.full(8, 2, np.float32)
    assert at.analyse(Captured(1, FRAME, 0, 0.0)).scores == pytest.approx(2)


@pytest.mark.parametrize(
    ("spacing_mm", "view", "score", "area", "volume"),
    [
        ((0.5, 0.5), "A4C", 4.0, "", ""),
        (None, "A4C", 4.0, NO_SCALE, NO_SCALE),
        ((0.5, 0.5), "", 4.0, "", NO_VIEW),
        ((0.5, 0.5), "A4C", 1.5, "poorly seen", "poorly seen"),
    ],
)
def test_measurements_are_withheld_with_the_reason(
    spacing_mm: tuple[float, float] | None, view: str, score: float, area: str, volume: str
) -> None:
    at, net = analyser(spacing_mm, view)
    net.answer = lambda: np.full(8, score, np.float32)
    shown = at.analyse(Captured(0, FRAME, 0, 0.0))
    assert area in shown.withheld.area
    assert volume in shown.withheld.volume
    assert (shown.ventricle.area_cm2 is None) == bool(area)
    assert (shown.ventricle.volume_ml is None) == bool(volume)
    assert (shown.hint is not None) == (score < 2)


def test_without_the_quality_net_nothing_is_measured() -> None:
    at, _ = analyser()
    shown = at.analyse(Captured(0, FRAME, 0, 0.0), with_quality=False, keep_scores=False)
    assert shown.withheld.area == NOT_SCORED
    assert shown.ventricle.area_cm2 is None
    assert shown.hint is None


def test_scores_expire_and_what_rests_on_them_goes() -> None:
    at, _ = analyser()
    at.analyse(Captured(0, FRAME, 0, 0.0))
    shown = [at.analyse(Captured(n, FRAME, 0, n / 10), with_quality=False) for n in range(1, 31)]
    assert np.isfinite(shown[round(10 * EXPIRE_S) - 1].scores).all()
    assert not np.isfinite(shown[round(10 * EXPIRE_S)].scores).any()
    assert shown[-1].withheld.volume == NOT_SCORED
    assert shown[-1].ventricle.volume_ml is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (np.zeros((96, 96, 4), np.uint8), "the segmentation gives uint8 of shape (96, 96, 4)"),
        (np.zeros((96, 96), np.float32), "the segmentation gives float32 of shape (96, 96)"),
    ],
)
def test_a_mask_of_another_kind_is_invalid(answer: np.ndarray, says: str) -> None:
    segmenter, scorer, net, _ = nets()
    net.answer = lambda: answer
    at = Analyser(segmenter, scorer, find_sector([FRAME]), Calibration(None), StageClock())
    assert at.analyse(Captured(0, FRAME, 0, 0.0)).invalid == f"INVALID OUTPUT: {says}"


def test_scores_of_another_number_are_invalid() -> None:
    at, net = analyser()
    net.answer = lambda: np.full(6, 2, np.float32)
    assert at.analyse(Captured(0, FRAME, 0, 0.0)).invalid.endswith("the quality net gives scores of shape (6,)")
