from __future__ import annotations

from collections.abc import Iterator

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge.nets.drift
from edge.loop import run_loop
from edge.nets.drift import BINS, EVERY, WINDOW, DriftWatch, distance, drift_of, grey_levels_of, histogram_of
from edge.nets.manifest import GreyLevels
from edge.picture.layout import HEAD
from edge.picture.palette import AMBER
from edge.screen.sector import Sector, find_sector
from edge.sinks import Shown
from edge.sources import Captured
from edge.stated import Stated
from tests.edge.nets.doubles import nets
from tests.phantom import apical_frame

PATIENTS = 12


def gained(gain: float) -> np.ndarray:
    return np.clip(apical_frame() * gain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def sector() -> Sector:
    return find_sector([apical_frame()])


@pytest.fixture(scope="module")
def levels(sector: Sector) -> GreyLevels:
    """Of patients whose gains differ by a quarter."""
    gains = np.linspace(0.9, 1.15, PATIENTS)
    return grey_levels_of([histogram_of(gained(g), sector.mask) for g in gains], [str(g) for g in gains])


def test_a_histogram_is_over_the_sector_alone(sector: Sector) -> None:
    frame = apical_frame()
    lit = np.where(sector.mask, frame, 255).astype(np.uint8)
    assert np.array_equal(histogram_of(frame, sector.mask), histogram_of(lit, sector.mask))
    expected = np.bincount(frame[sector.mask] // (256 // BINS), minlength=BINS) / sector.mask.sum()
    assert np.allclose(histogram_of(frame, sector.mask), expected)


@given(st.integers(0, BINS - 1), st.integers(0, BINS - 1))
def test_distance_is_the_shift_in_grey_levels(one: int, other: int) -> None:
    a, b = np.zeros(BINS), np.zeros(BINS)
    a[one] = b[other] = 1
    assert distance(a, b) == abs(one - other) * 256 / BINS


def test_frames_like_the_set_are_no_drift_and_a_dark_picture_is(sector: Sector, levels: GreyLevels) -> None:
    assert not drift_of(levels, [histogram_of(gained(1.0), sector.mask)]).has_drifted
    assert drift_of(levels, [histogram_of(gained(0.4), sector.mask)]).has_drifted


def watched(watch: DriftWatch, frame: np.ndarray, sector: Sector) -> list[bool]:
    """What the watch says over two windows of the same frame: True where a warning begins, False where it ends."""
    found = [watch.look(frame, sector) for _ in range(2 * EVERY * WINDOW)]
    return [drift.has_drifted for drift in found if drift is not None]


def test_a_warning_begins_once_and_ends_once(sector: Sector, levels: GreyLevels) -> None:
    watch = DriftWatch(levels)
    assert watched(watch, gained(1.0), sector) == []
    assert watched(watch, cv2.cvtColor(gained(0.4), cv2.COLOR_GRAY2RGB), sector) == [True]
    assert watch.drift is not None
    assert watched(watch, gained(0.4), sector) == []
    assert watched(watch, gained(1.0), sector) == [False]
    assert watch.drift is None


def test_a_few_odd_frames_do_not_warn(sector: Sector, levels: GreyLevels) -> None:
    watch = DriftWatch(levels)
    watched(watch, gained(1.0), sector)
    assert not [d for d in (watch.look(gained(0.0), sector) for _ in range(2 * EVERY)) if d]


class Screens:
    """A recording of phantom screens: bright, then dark, then bright again."""

    uri, fps, frames, region = "test", 50.0, 72, None
    stated, damaged = Stated((0.5, 0.5), "test"), 0

    def __iter__(self) -> Iterator[Captured]:
        for number in range(self.frames):
            yield Captured(number, gained(0.3 if 24 <= number < 48 else 1.0), 0, number / self.fps)


class Kept:
    """A sink that keeps what the notice said at each frame, and the last picture with one."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.picture: np.ndarray | None = None

    def write(self, shown: Shown) -> None:
        self.notices.append(shown.head.notice)
        if shown.head.notice:
            self.picture = shown.picture.copy()


def test_the_loop_warns_in_its_log_its_report_and_on_the_picture(
    levels: GreyLevels, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(edge.nets.drift, "EVERY", 1)
    monkeypatch.setattr(edge.nets.drift, "WINDOW", 4)
    segmenter, scorer, *_ = nets()
    segmenter.manifest = msgspec.structs.replace(segmenter.manifest, grey_levels=levels)
    kept = Kept()
    report = run_loop(Screens(), segmenter, scorer, [kept])
    assert [(event["frame"], event["unlike"]) for event in report.drift] == [(31, True), (55, False)]
    assert report.drift[0]["distance"] > levels.threshold == report.drift[0]["threshold"]
    assert [bool(notice) for notice in kept.notices] == [31 <= number < 55 for number in range(72)]
    assert "unlike the calibration set" in caplog.text
    assert kept.picture is not None
    assert (kept.picture[:HEAD] == AMBER).all(-1).any()


def test_a_file_without_a_calibration_set_never_warns(sector: Sector) -> None:
    assert watched(DriftWatch(None), gained(0.1), sector) == []
