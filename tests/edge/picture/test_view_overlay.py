from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge.heart.biplane import Biplane
from edge.picture.layout import FIGURES_W, HEAD, STRIP_Y, WIDTH
from edge.picture.overlay import Overlay
from tests.edge.picture.test_overlay import LINE, analysis


def picture(**changes: object) -> np.ndarray:
    return Overlay(30).draw(replace(analysis(), **changes), LINE).copy()


def test_the_view_stands_in_the_head_line_and_hides_no_echo() -> None:
    plain, named = picture(), picture(view="A4C", view_probability=0.97)
    differs = (plain != named).any(-1)
    assert differs[:HEAD].any()
    assert not differs[HEAD:].any()
    assert (picture(view="", view_probability=0.4) != named).any()


def test_biplane_ef_takes_the_place_of_the_single_plane() -> None:
    differs = (picture(biplane=Biplane(edv_ml=120.0, esv_ml=50.0, ef_percent=58.3)) != picture()).any(-1)
    rows, columns = (np.flatnonzero(differs.any(axis)) for axis in (1, 0))
    assert STRIP_Y < rows.min() < rows.max() < STRIP_Y + 92
    assert WIDTH - FIGURES_W < columns.min() < columns.max() < WIDTH - FIGURES_W + 148
