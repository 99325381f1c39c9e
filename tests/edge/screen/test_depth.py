"""Depth scales of many looks: mm per pixel is right within 3 %, or unknown."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.screen.scale import find_scale
from edge.screen.tracker import SectorTracker
from edge.synth import SyntheticLoop
from edge.synth.compression import jpeg
from edge.synth.screen import DEPTH_LAYOUTS, Layout, Screen

FRAMES = 4


def pictures_of(layout: Layout, seed: int) -> tuple[Screen, list[np.ndarray]]:
    loop = SyntheticLoop(seed, "A4C", layout.echo[2])
    screen = Screen(layout, loop)
    return screen, [jpeg(screen.compose(loop.frame(n * loop.frames_per_beat // FRAMES)), 85) for n in range(FRAMES)]


def scale_of(pictures: list[np.ndarray]) -> tuple[SectorTracker, float | None]:
    tracker = SectorTracker()
    tracker.find(pictures)
    return tracker, tracker.scale.mm_per_px if tracker.scale.sure else None


@pytest.mark.parametrize("layout", DEPTH_LAYOUTS)
def test_dots_labels_and_zoom_are_read(layout: str) -> None:
    known = 0
    for seed in range(60, 63):
        screen, pictures = pictures_of(DEPTH_LAYOUTS[layout], seed)
        tracker, found = scale_of(pictures)
        if found is not None:
            assert found == pytest.approx(screen.spacing_mm[0], rel=0.03)
            assert tracker.scale.is_said
            known += 1
    assert known >= (1 if DEPTH_LAYOUTS[layout].dots else 3)


@pytest.mark.parametrize("layout", ["labels1", "labels2", "zoom1"])
@pytest.mark.parametrize("tick_mm", [10.0, 5.0])
def test_numbers_settle_what_ticks_leave_open(layout: str, tick_mm: float) -> None:
    labelled = replace(DEPTH_LAYOUTS[layout], tick_mm=tick_mm, long_every=0)
    for changed, is_known in ((labelled, True), (replace(labelled, label_cm=0), False)):
        screen, pictures = pictures_of(changed, 71)
        for picture in pictures:  # nor does the depth that is written
            picture[:, : screen.echo[0] // 2] = 0
        _, found = scale_of(pictures)
        assert found is None or found == pytest.approx(screen.spacing_mm[0], rel=0.03)
        assert found is not None or not is_known


def test_labels_win_over_the_length_of_ticks() -> None:
    """Every second tick is longer, which else means 0.5 cm: the numbers say 1 cm."""
    layout = replace(DEPTH_LAYOUTS["labels1"], long_every=2, label_cm=2)
    screen, pictures = pictures_of(layout, 73)
    _, found = scale_of(pictures)
    assert found == pytest.approx(screen.spacing_mm[0], rel=0.03)


def test_a_written_depth_that_no_tick_fits_makes_the_scale_unknown() -> None:
    layout = replace(DEPTH_LAYOUTS["labels1"], tick_mm=10.0, long_every=5, label_cm=0)
    screen, pictures = pictures_of(layout, 74)
    left, top, *_ = screen.echo
    for picture in pictures:
        picture[:, : left - 60] = 0
    _, found = scale_of(pictures)
    assert found == pytest.approx(screen.spacing_mm[0], rel=0.03)
    for picture in pictures:
        cv2.putText(picture, "27cm", (20, top + 60), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (230, 230, 230), 1, cv2.LINE_AA)
    tracker, found = scale_of(pictures)
    assert found is None
    assert "written" in tracker.scale.reason


def test_dots_without_a_number_say_nothing() -> None:
    screen, pictures = pictures_of(DEPTH_LAYOUTS["dots1"], 60)
    for picture in pictures:
        picture[:, : screen.echo[0] - 40] = 0
    tracker, found = scale_of(pictures)
    assert found is None
    assert tracker.sector is not None
    assert not find_scale(np.zeros(pictures[0].shape[:2], np.uint8), tracker.sector).ticks
