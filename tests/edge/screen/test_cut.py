from __future__ import annotations

import numpy as np
import pytest

from edge.screen.cut import Cutter
from edge.screen.scale import Scale
from edge.screen.sector import Fan, Sector, box_of, fan_mask
from edge.screen.setting import Setting

FAN = Fan((300.4, 20.2), 12.5, 400.1, 0.61)
SHAPE = (480, 640)


def sector() -> Sector:
    mask = fan_mask(FAN, SHAPE)
    return Sector(box_of(mask), mask, FAN)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_the_sector_is_copied_and_nothing_else(channels: tuple[int, ...]) -> None:
    rng, cut, mask = np.random.default_rng(0), Cutter(sector()), sector().mask
    kept = []
    for _ in range(4):  # more than one array of the pool is at work
        screen = rng.integers(1, 256, (*SHAPE, *channels), np.uint8)
        out = cut(screen)
        assert (out[mask] == screen[mask]).all()
        assert not out[~mask].any()
        kept.append((screen, out))
    for screen, out in kept:  # none was written over while it is held
        assert (out[mask] == screen[mask]).all()


def test_a_screen_of_another_size_is_black() -> None:
    cut = Cutter(sector())
    assert not cut(np.full((481, 640, 3), 200, np.uint8)).any()


def test_the_extent_is_the_smallest_rectangle() -> None:
    x0, y0, x1, y1 = sector().extent
    mask = sector().mask
    assert mask.sum() == mask[y0:y1, x0:x1].sum()
    assert all(edge.any() for edge in (mask[y0], mask[y1 - 1], mask[:, x0], mask[:, x1 - 1]))


def test_a_setting_gives_the_same_sector_again() -> None:
    again = Setting(fan=FAN, scale=Scale(0.4, 0.9)).sector(SHAPE)
    assert (again.mask == sector().mask).all()
    assert again.box == sector().box
