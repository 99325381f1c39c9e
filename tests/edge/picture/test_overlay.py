from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.heart.analysis import REGION_PX, Analysis
from edge.heart.beats import Event
from edge.heart.hint import Hint
from edge.heart.measure import Ventricle, measure_ventricle
from edge.heart.regions import Regions, find_regions
from edge.heart.withhold import Withheld
from edge.picture.chart import FIGURES_W
from edge.picture.overlay import HEIGHT, WIDTH, HeadUp, Overlay
from edge.picture.palette import CONTOUR, QUALITY_COLOURS, quality_colour
from edge.preprocess import Box
from edge.sources import Captured
from tests.phantom import apical_frame, apical_mask

HEAD = HeadUp(30.0, 20.0, 18.0, "openvino", "int8", 0)


def analysis(
    shape: tuple[int, ...] = (400, 400), number: int = 0, reason: str = "", event: Event | None = None
) -> Analysis:
    frame = np.zeros(shape, np.uint8)
    grey = apical_frame(size=min(shape[:2]))
    frame[: grey.shape[0], : grey.shape[1]] = grey if len(shape) == 2 else grey[..., None]
    mask = apical_mask(size=REGION_PX)
    regions = find_regions(mask)
    assert isinstance(regions, Regions)
    return Analysis(
        frame=Captured(number, frame, 0, number / 30),
        box=Box(0, 0, min(shape[:2])),
        mask=mask,
        regions=None if reason else regions,
        reason=reason,
        scores=np.linspace(1, 5, 8, dtype=np.float32),
        ventricle=measure_ventricle(mask, regions, (0.5, 0.5)),
        event=event,
        ejection_fractions=(55.0,),
    )


@pytest.mark.parametrize("shape", [(400, 400), (240, 320, 3), (720, 1280, 3), (1080, 1920, 3), (600, 300)])
def test_any_frame_shape_is_drawn_at_1280x720(shape: tuple[int, ...]) -> None:
    picture = Overlay(shape[:2], 30).draw(analysis(shape), HEAD)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8


def test_the_left_panel_is_the_frame_and_the_right_one_is_marked() -> None:
    picture = Overlay((400, 400), 30).draw(analysis(), HEAD)
    left, right = picture[40:500, :640].astype(int), picture[40:500, 640:].astype(int)
    assert not (np.ptp(left, axis=2) > 30).any()
    assert (np.abs(right - CONTOUR).max(2) < 12).sum() > 200
    assert (np.ptp(right, axis=2) > 30).sum() > 5000  # eight coloured regions


def test_what_is_not_measurable_has_its_reason_and_no_regions() -> None:
    drawn = Overlay((400, 400), 30).draw(analysis(reason="the apex is not visible"), HEAD)[40:500, 640:]
    coloured = np.ptp(drawn.astype(int), axis=2) > 30
    assert 200 < coloured.sum() < 5000


def test_marks_appear_where_the_beat_was() -> None:
    overlay = Overlay((400, 400), 30, frames=20)
    for number in range(20):
        event = Event("ED", 10, 1.0, None) if number == 15 else None
        picture = overlay.draw(analysis(number=number, event=event), HEAD).copy()
    chart = picture[HEIGHT - 168 :]
    marked = np.abs(chart.astype(int) - (255, 200, 90)).max(2) < 10
    columns = np.flatnonzero(marked.any(0))
    left, right = 64, WIDTH - FIGURES_W
    assert columns.mean() == pytest.approx(left + 10 / 19 * (right - left), abs=12)


def test_the_curve_breaks_where_the_area_is_withheld() -> None:
    overlay = Overlay((400, 400), 30, frames=30)
    for number in range(30):
        shown = analysis(number=number)
        if 10 <= number < 20:
            shown = replace(shown, withheld=Withheld("x", "x", "x"), ventricle=Ventricle(1.0))
        picture = overlay.draw(shown, HEAD)
    curve = np.abs(picture[HEIGHT - 168 :].astype(int) - CONTOUR).max(2) < 12
    left, right = 64, WIDTH - FIGURES_W
    columns = curve.any(0)[[round(left + k / 29 * (right - left)) for k in (5, 15, 25)]]
    assert columns.tolist() == [True, False, True]


def test_a_hint_and_a_reason_appear_and_go() -> None:
    overlay = Overlay((400, 400), 30)
    plain = overlay.draw(analysis(), HEAD).copy()
    told = replace(
        analysis(number=1),
        hint=Hint("lateral wall", "not visible", "more gel", 1.0),
        withheld=Withheld("", "", "view unknown: give --view"),
    )
    with_both = overlay.draw(told, HEAD).copy()
    hint, reason = np.s_[522:552, :640], np.s_[HEIGHT - 40 :, WIDTH - FIGURES_W + 10 :]
    assert not plain[hint].any()
    assert (np.abs(with_both[hint].astype(int) - QUALITY_COLOURS[0]).max(2) < 10).any()
    assert np.ptp(plain[reason]) == 0
    assert np.ptp(with_both[reason]) > 100
    assert not overlay.draw_safe(None, HEAD, "PICTURE FROZEN: x")[hint].any()


def test_five_colours_for_five_words() -> None:
    assert [quality_colour(s) for s in (1.2, 2.1, 2.9, 4.4, 5.0)] == list(QUALITY_COLOURS)
    assert quality_colour(-3) == QUALITY_COLOURS[0]
    assert quality_colour(9) == QUALITY_COLOURS[4]
