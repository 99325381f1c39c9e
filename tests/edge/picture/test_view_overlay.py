from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge.heart.biplane import Biplane
from edge.picture.overlay import CHART, HEAD, HEIGHT, Overlay
from tests.edge.picture.test_overlay import HEAD as FIGURES
from tests.edge.picture.test_overlay import analysis


def picture(**changes: object) -> np.ndarray:
    return Overlay((400, 400), 30).draw(replace(analysis(), **changes), FIGURES).copy()


def test_the_view_stands_in_the_head_line_and_hides_no_echo() -> None:
    plain, named = picture(), picture(view="A4C", view_probability=0.97)
    differs = (plain != named).any(-1)
    assert differs[:HEAD].any()
    assert not differs[HEAD:].any()
    assert (picture(view="", view_probability=0.4) != named).any()


def test_biplane_ef_takes_the_line_of_the_single_plane() -> None:
    differs = (picture(biplane=Biplane(120.0, 50.0, 58.3)) != picture()).any(-1)
    rows = np.flatnonzero(differs.any(1)) - (HEIGHT - CHART)
    assert 60 < rows.min() < rows.max() < 85
