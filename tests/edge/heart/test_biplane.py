from __future__ import annotations

import pytest

from edge.heart.beat import Beat
from edge.heart.biplane import biplane_of, foreshortened
from tests.edge.heart.shapes import cone, cone_ml

pytestmark = pytest.mark.portable


def beat(view: str, ed: tuple[float, float], es: tuple[float, float], atrium: bool = True) -> Beat:
    return Beat(view=view, ed_frame=0, es_frame=10, ed=cone(*ed), es=cone(*es, atrium=atrium))


def test_it_needs_both_views_and_takes_the_longer_axis() -> None:
    a4c, a2c = beat("A4C", (90, 50), (80, 40)), beat("A2C", (84, 44), (76, 30))
    assert biplane_of([a4c], []) is None
    found = biplane_of([a4c], [a2c])
    assert found is not None
    assert found.edv_ml == pytest.approx(cone_ml(90, 50, 44), rel=1e-3)
    assert found.esv_ml == pytest.approx(cone_ml(80, 40, 30), rel=1e-3)
    assert found.ef_percent == pytest.approx(100 * (1 - found.esv_ml / found.edv_ml))
    assert found.la_volume_ml == pytest.approx(8 * 1200**2 / (3 * 3.14159 * 40) / 1000, rel=1e-3)
    assert found.warning == ""


def test_one_odd_beat_of_three_does_not_count() -> None:
    good, odd = beat("A4C", (90, 50), (80, 40)), beat("A4C", (60, 20), (55, 15))
    other = beat("A2C", (88, 44), (76, 30))
    assert biplane_of([good, odd, good], [other]) == biplane_of([good], [other])


def test_without_an_atrium_in_one_plane() -> None:
    found = biplane_of([beat("A4C", (90, 50), (80, 40), atrium=False)], [beat("A2C", (88, 44), (76, 30))])
    assert found is not None
    assert found.la_volume_ml is None


@pytest.mark.parametrize(("a4c_mm", "a2c_mm", "plane"), [(90, 80, "A2C"), (76, 88, "A4C"), (90, 82, ""), (82, 90, "")])
def test_a_plane_more_than_a_tenth_shorter_is_foreshortened(a4c_mm: float, a2c_mm: float, plane: str) -> None:
    warning = foreshortened(a4c_mm, a2c_mm)
    assert warning.startswith(f"{plane} foreshortened") == bool(plane)
    assert bool(warning) == bool(plane)
