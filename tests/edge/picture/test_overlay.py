from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.heart.analysis import REGION_PX, Analysis
from edge.heart.beats import Event
from edge.heart.hint import Hint
from edge.heart.measure import Ventricle, measure_ventricle
from edge.heart.record import Figure, Heart
from edge.heart.regions import Regions, find_regions
from edge.heart.withhold import Withheld
from edge.picture.chart import LEFT, RIGHT
from edge.picture.figures import BEATS_X
from edge.picture.layout import (
    FIGURES_W,
    FOOT_Y,
    HEAD,
    HEIGHT,
    LEGEND_W,
    LEGEND_Y,
    MAIN_W,
    PANEL_H,
    STRIP_Y,
    WIDTH,
    part,
    zoom_on,
)
from edge.picture.overlay import CURVE_SECONDS, HeadUp, Overlay
from edge.picture.palette import AMBER, CONTOUR, QUALITY_COLOURS, quality_colour
from edge.preprocess import Box
from edge.sources import Captured
from tests.phantom import apical_frame, apical_mask

LINE = HeadUp(30.0, 20.0, 18.0, "openvino", "int8", 0)
PANELS = slice(HEAD, LEGEND_Y)
CURVE = np.s_[STRIP_Y:FOOT_Y, : WIDTH - FIGURES_W]


def column_of(share: float) -> float:
    """Where the curve is at this share of its span."""
    return LEFT + share * (WIDTH - FIGURES_W - LEFT - RIGHT)


def figure(median: float, low: float = 0.0, high: float = 0.0, n: int = 1) -> Figure:
    return Figure(median=median, low=low or median, high=high or median, n=n)


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
        heart=Heart(ef_percent=figure(55.0), fac_percent=figure(40.0)),
    )


@pytest.mark.parametrize("shape", [(400, 400), (240, 320, 3), (720, 1280, 3), (1080, 1920, 3), (600, 300)])
def test_any_frame_shape_is_drawn_at_1280x720(shape: tuple[int, ...]) -> None:
    picture = Overlay(30).draw(analysis(shape), LINE)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8


def test_the_left_panel_is_marked_and_the_right_one_is_the_frame() -> None:
    picture = Overlay(30).draw(analysis(), LINE)
    left, right = picture[PANELS, :640].astype(int), picture[PANELS, 640:].astype(int)
    assert not (np.ptp(right, axis=2) > 30).any()
    assert (np.abs(left - CONTOUR).max(2) < 12).sum() > 200
    assert (np.ptp(left, axis=2) > 30).sum() > 5000  # eight coloured regions


@pytest.mark.parametrize("extent", [(0, 0, 400, 400), (100, 40, 300, 340), (20, 100, 390, 300), (0, 150, 400, 250)])
def test_both_panels_show_the_sector_at_one_scale(extent: tuple[int, int, int, int]) -> None:
    overlay = Overlay(30)
    picture = overlay.draw(replace(analysis(reason="x"), mask=np.zeros((256, 256), np.uint8), extent=extent), LINE)
    zoom = zoom_on(extent)
    wide, high = extent[2] - extent[0], extent[3] - extent[1]
    assert zoom.main[2] - zoom.main[0] == round(wide * zoom.scale) <= MAIN_W
    assert zoom.main[3] - zoom.main[1] == round(high * zoom.scale) <= PANEL_H
    assert zoom.main[2] <= zoom.side[0]
    assert zoom.side[2] <= WIDTH
    main, side = part(picture, zoom.main), part(picture, zoom.side)
    middle = main[:, zoom.side_from : zoom.side_from + side.shape[1]]
    rows = slice(0, len(side) - 30)  # below stands why nothing is measured
    assert (middle[rows] == side[rows]).all()
    assert side.shape[1] >= min(main.shape[1], WIDTH - MAIN_W)


def test_what_is_not_measurable_has_its_reason_and_no_regions() -> None:
    drawn = Overlay(30).draw(analysis(reason="the apex is not visible"), LINE)[PANELS, :640]
    coloured = np.ptp(drawn.astype(int), axis=2) > 30
    assert 200 < coloured.sum() < 5000


def test_marks_appear_where_the_beat_was() -> None:
    overlay = Overlay(30, frames=20)
    for number in range(20):
        event = Event(kind="ED", frame=10, time_s=0.3, area=1.0) if number == 15 else None
        picture = overlay.draw(analysis(number=number, event=event), LINE).copy()
    marked = np.abs(picture[CURVE].astype(int) - AMBER).max(2) < 10
    assert np.flatnonzero(marked.any(0)).mean() == pytest.approx(column_of(10 / 19), abs=12)


@pytest.mark.parametrize("kept", [1, 2, 7, 25])
def test_the_curve_runs_over_seconds_within_its_box_whatever_is_dropped(kept: int) -> None:
    overlay = Overlay(30)
    for number in range(0, 20 * 30, kept):
        picture = overlay.draw(analysis(number=number), LINE)
    curve = np.abs(picture[STRIP_Y:FOOT_Y].astype(int) - CONTOUR).max(2) < 12
    columns = np.flatnonzero(curve.any(0))
    period = kept / 30 / CURVE_SECONDS  # the oldest shown may be this much younger than the left edge
    assert columns.min() >= LEFT - 2
    assert columns.min() <= column_of(period) + 4
    assert columns.max() == pytest.approx(column_of(1.0), abs=3)


def test_a_source_that_begins_again_begins_a_new_curve() -> None:
    overlay = Overlay(30)
    for number in [*range(90), *range(15)]:
        picture = overlay.draw(analysis(number=number), LINE)
    curve = np.abs(picture[STRIP_Y:FOOT_Y].astype(int) - CONTOUR).max(2) < 12
    assert np.flatnonzero(curve.any(0)).max() == pytest.approx(column_of(14 / 30 / CURVE_SECONDS), abs=3)


def test_the_curve_breaks_where_the_area_is_withheld() -> None:
    overlay = Overlay(30, frames=30)
    for number in range(30):
        shown = analysis(number=number)
        if 10 <= number < 20:
            shown = replace(shown, withheld=Withheld("x", "x", "x"), ventricle=Ventricle(1.0))
        picture = overlay.draw(shown, LINE)
    curve = np.abs(picture[CURVE].astype(int) - CONTOUR).max(2) < 12
    columns = curve.any(0)[[round(column_of(k / 29)) for k in (5, 15, 25)]]
    assert columns.tolist() == [True, False, True]


def test_a_hint_and_a_reason_appear_and_go() -> None:
    overlay = Overlay(30)
    plain = overlay.draw(analysis(), LINE).copy()
    told = replace(
        analysis(number=1),
        hint=Hint("lateral wall", "not visible", "more gel", 1.0),
        withheld=Withheld("", "", "view unknown: give --view"),
    )
    with_both = overlay.draw(told, LINE).copy()
    hint, reason = (
        np.s_[LEGEND_Y:STRIP_Y, LEGEND_W:],
        np.s_[FOOT_Y - 40 : FOOT_Y, WIDTH - FIGURES_W : WIDTH - FIGURES_W + BEATS_X],
    )
    assert not plain[hint].any()
    assert (np.abs(with_both[hint].astype(int) - QUALITY_COLOURS[0]).max(2) < 10).any()
    assert np.ptp(plain[reason]) == 0
    assert np.ptp(with_both[reason]) > 100
    assert not overlay.draw_safe(None, LINE, "PICTURE FROZEN: x")[hint].any()


def test_the_technical_line_has_no_figures_of_a_frame_while_none_comes() -> None:
    foot = np.s_[FOOT_Y:]
    overlay = Overlay(30)
    silent = overlay.draw_safe(None, replace(LINE, has_frame=False), "NO SIGNAL: x")[foot].copy()
    other = overlay.draw_safe(None, replace(LINE, has_frame=False, fps=3.0, age_ms=99.0), "NO SIGNAL: x")[foot]
    assert (silent == other).all()
    assert (silent != overlay.draw_safe(None, LINE, "PICTURE FROZEN: x")[foot]).any()


def test_a_banner_shows_the_sector_alone_and_a_search_nothing_of_the_screen() -> None:
    frame, extent = np.full((400, 400, 3), 255, np.uint8), (100, 40, 300, 340)
    overlay = Overlay(30)
    frozen = overlay.draw_safe(frame, LINE, "PICTURE FROZEN: x", extent=extent).copy()
    zoom = zoom_on(extent)
    assert (part(frozen, zoom.side) == 255).all()
    pictures = []
    for level in (0, 255):
        frame = np.full((400, 400, 3), level, np.uint8)
        pictures.append(overlay.draw_safe(frame, LINE, "LOOKING FOR THE SECTOR: x").copy())
    assert (pictures[0] == pictures[1]).all()
    assert np.ptp(pictures[0][PANELS, 640:]) > 50  # the outline of a sector


def test_names_stand_beside_their_regions_when_asked_for() -> None:
    overlay = Overlay(30)
    plain = overlay.draw(analysis(), LINE).copy()
    overlay.names = True
    named = overlay.draw(analysis(), LINE).copy()
    differs = (plain != named).any(2)
    assert differs[PANELS, :640].sum() > 500
    assert not differs[:, 640:].any()
    overlay.names = False
    assert (overlay.draw(analysis(), LINE) == plain).all()


def test_what_is_not_visible_is_hatched_and_nothing_else() -> None:
    dark = replace(analysis(), frame=Captured(0, np.zeros((400, 400), np.uint8), 0, 0.0))
    poor, unseen = (replace(dark, scores=np.full(8, score, np.float32)) for score in (2.0, 1.0))
    zoom = zoom_on((0, 0, 400, 400))
    wall = np.kron(poor.regions.labels, np.ones((2, 2), np.uint8)) > 0  # type: ignore[union-attr]
    wall = cv2.erode(cv2.resize(wall.astype(np.uint8), (PANEL_H, PANEL_H)), np.ones((9, 9), np.uint8)) > 0
    lightest = [
        int((part(Overlay(30).draw(shown, LINE), zoom.main)[wall].astype(int).min(1) > 90).sum())
        for shown in (poor, unseen)
    ]
    assert lightest[0] < 0.02 * wall.sum()
    assert lightest[1] > 0.1 * wall.sum()


MACHADO = {
    "as it is": np.eye(3),
    "without red cones": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "without green cones": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "without blue cones": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
"""Linear RGB as people see it who lack one kind of cones (Machado et al. 2009, severity 1)."""


@pytest.mark.parametrize("eyes", MACHADO)
def test_five_colours_are_told_apart_by_every_eye(eyes: str) -> None:
    rgb = np.array(QUALITY_COLOURS) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ np.array(MACHADO[eyes]).T
    lab = cv2.cvtColor(np.clip(linear, 0, 1).astype(np.float32)[None], cv2.COLOR_LRGB2Lab)[0]
    apart = [float(np.linalg.norm(one - other)) for one, other in itertools.combinations(lab, 2)]
    assert min(apart) > 30  # 2.3 is just noticeable


def test_five_colours_for_five_words() -> None:
    assert [quality_colour(s) for s in (1.2, 2.1, 2.9, 4.4, 5.0)] == list(QUALITY_COLOURS)
    assert quality_colour(-3) == QUALITY_COLOURS[0]
    assert quality_colour(9) == QUALITY_COLOURS[4]
