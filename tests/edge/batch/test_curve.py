from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.batch.curve import TICKS, curve_svg, ticks
from edge.batch.seen import Curve

NAN = float("nan")


def curve(area_px: list[float], area_cm2: float = NAN, volume_ml: float = NAN) -> Curve:
    count = len(area_px)
    px = np.array(area_px)
    return Curve(
        times_s=np.arange(count) / 25,
        area_px=px,
        area_cm2=np.where(np.isfinite(px), area_cm2, NAN) * np.linspace(1, 2, count),
        volume_ml=np.where(np.isfinite(px), volume_ml, NAN) * np.linspace(1, 2, count),
    )


@pytest.mark.parametrize(
    ("area_cm2", "volume_ml", "title"),
    [(NAN, NAN, "LV area (pixels)"), (20.0, NAN, "LV area (cm²)"), (20.0, 80.0, "LV volume (ml)")],
)
def test_axes_say_what_and_in_which_unit(area_cm2: float, volume_ml: float, title: str) -> None:
    svg = curve_svg(curve([100.0, 90.0, 80.0, 95.0], area_cm2, volume_ml), [("ED", 0.0), ("ES", 0.08)])
    words = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert {title, "time (s)", "ED", "ES"} <= set(words)


def test_no_mark_stands_where_there_is_no_line() -> None:
    svg = curve_svg(curve([NAN, NAN, NAN, NAN, NAN, 90, 80, 95]), [("ED", 0.0), ("ES", 0.24)])
    words = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert "ES" in words
    assert "ED" not in words


def test_the_line_breaks_where_nothing_is_known() -> None:
    svg = curve_svg(curve([100, 90, 80, NAN, NAN, NAN, 90, 95, 100]), [])
    assert [len(points.split()) for points in re.findall(r'polyline points="([^"]*)"', svg)] == [3, 3]
    assert "nan" not in svg


@pytest.mark.parametrize("areas", [[NAN, NAN], [5.0], [7.0, 7.0, 7.0], [0.0, 0.0]])
def test_little_or_nothing_is_drawn_as_it_is(areas: list[float]) -> None:
    svg = curve_svg(curve(areas), [])
    assert bool(svg) == np.isfinite(areas).any()
    assert "nan" not in svg


@settings(deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_ticks_are_few_even_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= TICKS + 1
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in found)
    assert np.allclose(np.diff(found), np.diff(found)[:1], rtol=1e-3)
