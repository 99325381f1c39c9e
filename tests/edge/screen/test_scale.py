from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.preprocess import grey
from edge.screen.scale import TickWatch, find_scale, scale_from_ticks
from edge.screen.sector import find_sector
from edge.screen.tracker import LOCATE_FRAMES, SectorTracker
from tests.phantom import apical_frame, on_screen


@settings(deadline=None, max_examples=60)
@given(
    step=st.floats(8, 60),
    first=st.floats(0, 100),
    count=st.integers(8, 26),
    missing=st.integers(0, 1),
    unit=st.sampled_from([(10.0, 5), (5.0, 2)]),
)
def test_ticks_on_whole_pixels_give_their_scale_or_none(
    step: float, first: float, count: int, missing: int, unit: tuple[float, int]
) -> None:
    tick_mm, long_every = unit
    places = np.delete(np.arange(count), count // 2) if missing else np.arange(count)
    rows = np.round(first + places * step)
    sizes = np.where(places % long_every == 0, 9.0, 5.0)
    found = scale_from_ticks(np.stack([np.full(len(rows), 50.0), rows], axis=1), sizes, float(np.ptp(rows)))
    if found.sure and 60 <= (count - 1) * tick_mm <= 260:
        assert found.mm_per_px == pytest.approx(tick_mm / step, rel=0.03)


def test_a_depth_at_the_border_of_the_plausible_rules_no_unit_out() -> None:
    rows = np.round(0.6 + np.arange(13) * 8.0)  # 12 steps of 5 mm are 60 mm
    rows[-1] -= 1
    found = scale_from_ticks(np.stack([np.full(13, 50.0), rows], axis=1), np.full(13, 5.0), float(np.ptp(rows)))
    assert not found.sure


def test_a_zoomed_picture_is_not_taken_for_a_whole_one() -> None:
    rows = np.arange(9) * 50.0  # 8 steps of 5 mm, every second one longer: 40 mm, not 80
    column = np.stack([np.full(9, 50.0), rows], axis=1)
    long = np.where(np.arange(9) % 2 == 0, 9.0, 3.0)
    assert scale_from_ticks(column, long, 400.0).mm_per_px == pytest.approx(0.1)
    assert not scale_from_ticks(column, np.full(9, 5.0), 400.0).sure
    assert scale_from_ticks(column, np.where(np.arange(9) % 5 == 0, 9.0, 3.0), 400.0).mm_per_px == pytest.approx(0.2)


@pytest.mark.parametrize("long_every", [0, 5])
@pytest.mark.parametrize("side", [-1, 1])
def test_dots_along_the_edge_of_the_sector_are_its_scale(side: int, long_every: int) -> None:
    screen = on_screen(apical_frame(), 640, 480)
    screen[:, 560:600] = 0
    sector = find_sector([screen])
    fan = sector.fan
    assert fan is not None
    across, down = side * np.sin(fan.half_angle), np.cos(fan.half_angle)
    step = fan.radius / 14.5
    for number in range(1, 15):
        x = fan.apex[0] + number * step * across + side * 14
        y = fan.apex[1] + number * step * down
        size = 3 if long_every and number % long_every == 0 else 2
        cv2.circle(screen, (round(x), round(y)), size, (255, 255, 255), -1)
    found = find_scale(grey(screen), sector)
    assert len(found.ticks) >= 10
    assert found.step_px == pytest.approx(step, rel=0.02)
    if long_every:
        assert found.mm_per_px == pytest.approx(10 / step, rel=0.02)
    else:
        assert not found.sure


def test_moved_ticks_are_another_depth_though_nothing_else_changes() -> None:
    screens = [on_screen(apical_frame(seed=n), 640, 480) for n in range(LOCATE_FRAMES)]
    for screen in screens:  # longer ticks at every fifth centimetre
        for row in range(50, 480, 180):
            screen[row : row + 2, 579:591] = 220
    tracker = SectorTracker()
    for screen in screens:
        sector, _ = tracker.update(screen)
    assert sector is not None
    assert tracker.scale.sure
    watch = TickWatch(screens[0], tracker.scale, sector)
    assert not watch.has_moved(screens[1])
    for screen in screens:
        screen[:, 560:600] = np.roll(screen[:, 560:600], 9, axis=0)
    assert watch.has_moved(screens[1])
    seen = {tracker.update(screen)[1].split(":")[0] for screen in screens[:4]}
    assert "LOOKING FOR THE SECTOR" in seen


def test_gaps_between_the_buttons_of_a_menu_are_no_ticks() -> None:
    screen = on_screen(apical_frame(), 640, 480)
    screen[:, 560:600] = 3
    for row in range(300, 480, 24):
        screen[row : row + 3, 630:636] = 200
    tracker = SectorTracker()
    tracker.find([screen])
    assert not tracker.scale.sure
