from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import SourceError
from edge.sector import find_sector
from tests.phantom import apical_frame, on_screen, sector_mask


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_bare_sector_fills_its_box() -> None:
    sector = find_sector([apical_frame()])
    assert overlap(sector.mask, sector_mask()) > 0.95
    assert sector.fan is not None
    assert sector.fan.half_angle == pytest.approx(0.5, abs=0.04)
    assert sector.box.y <= 4


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1024, 768), (800, 600)])
def test_the_sector_is_found_between_text_ticks_and_bars(width: int, height: int) -> None:
    sector = find_sector([on_screen(apical_frame(), width, height)])
    truth = np.zeros((height, width), np.uint8)
    side = height - 80
    left = (width - side) // 2
    truth[40 : 40 + side, left : left + side] = cv2.resize(sector_mask().astype(np.uint8), (side, side))
    assert overlap(sector.mask, truth > 0) > 0.95


def test_a_region_restricts_the_search() -> None:
    twice = np.hstack([apical_frame(seed=1), apical_frame(seed=2)])
    sector = find_sector([twice], (400, 0, 800, 400))
    assert sector.box.x >= 395


def test_a_dark_flank_is_recovered_by_symmetry() -> None:
    frame = apical_frame()
    frame[150:, 260:] = 0
    sector = find_sector([frame])
    assert overlap(sector.mask, sector_mask()) > 0.8


def test_a_black_screen_says_what_to_check() -> None:
    with pytest.raises(SourceError, match="no ultrasound sector is visible in a 320x240 picture"):
        find_sector([np.zeros((240, 320), np.uint8)])


def test_the_real_loop(sonosite: str) -> None:
    from pydicom.pixels import pixel_array

    frames = list(pixel_array(sonosite))
    sector = find_sector(frames[:16], (42, 15, 298, 208))
    assert sector.fan is not None
    apex_x, _ = sector.fan.apex
    assert apex_x == pytest.approx(169, abs=10)  # the probe's mark on the screen
    assert sector.box.y == pytest.approx(20, abs=8)
    assert 190 <= sector.box.side <= 285  # the calibrated region is 256 x 192 px
