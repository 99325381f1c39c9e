from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.heart.biplane import Biplane
from edge.heart.record import Heart
from edge.picture.figures import BEATS_VALUE_X, NOW_X, RATE_X
from edge.picture.layout import FIGURES_W, HEAD, STRIP_Y, WIDTH
from edge.picture.overlay import Overlay
from tests.edge.picture.test_overlay import LINE, analysis, figure

FIGURES = WIDTH - FIGURES_W
"""First column of the figures."""


def picture(**changes: object) -> np.ndarray:
    return Overlay(30).draw(replace(analysis(), **changes), LINE).copy()


def test_the_view_stands_in_the_head_line_and_hides_no_echo() -> None:
    plain, named = picture(), picture(view="A4C", view_probability=0.97)
    differs = (plain != named).any(-1)
    assert differs[:HEAD].any()
    assert not differs[HEAD:].any()
    assert (picture(view="", view_probability=0.4) != named).any()


def test_biplane_ef_takes_the_place_of_the_single_plane() -> None:
    single = analysis().heart
    both = replace(single, biplane=Biplane(edv_ml=120.0, esv_ml=50.0, ef_percent=58.3))
    biplane, alone = picture(heart=both), picture(heart=single)
    large = np.s_[STRIP_Y : STRIP_Y + 92, FIGURES : FIGURES + RATE_X]
    volumes = np.s_[STRIP_Y : STRIP_Y + 46, FIGURES + BEATS_VALUE_X : FIGURES + NOW_X]
    for place in (large, volumes):
        assert (biplane[place] != alone[place]).any()
    biplane[large], biplane[volumes] = alone[large], alone[volumes]
    assert (biplane == alone).all()


def test_the_interval_stands_beside_ef() -> None:
    single = analysis().heart
    rows, columns = changed(picture(heart=replace(single, ef_interval90_percent=(44.0, 66.0))), picture(heart=single))
    assert STRIP_Y + 66 < rows.min() < rows.max() < STRIP_Y + 92
    assert FIGURES < columns.min() < columns.max() < FIGURES + RATE_X


@pytest.mark.parametrize(
    ("heart", "column"),
    [
        (Heart(edv_ml=figure(120.0, 110.0, 130.0, 3)), BEATS_VALUE_X),
        (Heart(strain_percent=figure(-17.0, -19.0, -15.0, 3)), BEATS_VALUE_X),
        (Heart(la_volume_ml=figure(48.0, 44.0, 52.0, 3)), BEATS_VALUE_X),
    ],
)
def test_the_beats_figures_have_a_row_each(heart: Heart, column: int) -> None:
    _, columns = changed(picture(heart=heart), picture(heart=Heart()))
    assert FIGURES + column <= columns.min() < columns.max() < FIGURES + NOW_X


def test_an_ef_that_is_not_sure_is_not_shown_and_the_reason_is() -> None:
    doubted = Heart(fac_percent=figure(40.0), unsure="EF not sure: quality 2.6 at ED or ES, 3.1 needed")
    shown = picture(heart=doubted)
    rows, _ = changed(shown, picture(heart=Heart(fac_percent=figure(40.0))))
    assert rows.max() > STRIP_Y + 92
    assert (shown != picture()).any()


def changed(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns in which two pictures differ."""
    differs = (one != other).any(-1)
    return np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
