from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.heart.withhold import NOTHING, Withheld
from edge.picture.inset import INSET_W, STILL_PX, still
from edge.picture.layout import FIGURES_W, FOOT_Y, STRIP_Y, WIDTH
from edge.picture.overlay import Overlay
from edge.picture.palette import REFINED
from edge.refine.keyframe import FROZEN_FRAME
from edge.refine.volumes import Spread
from tests.edge.picture.test_overlay import LINE, analysis
from tests.edge.refine.held import held, refinement
from tests.phantom import apical_frame

INSET = np.s_[STRIP_Y:FOOT_Y, WIDTH - FIGURES_W - INSET_W : WIDTH - FIGURES_W]
FIGURES = np.s_[STRIP_Y:FOOT_Y, WIDTH - FIGURES_W :]


def tinted(picture: np.ndarray) -> np.ndarray:
    """Where the green channel was pulled down against red and blue."""
    channels = picture.astype(int)
    return (channels[..., 2] - channels[..., 1] > 40) & (channels[..., 0] - channels[..., 1] > 20)


@pytest.mark.parametrize("shape", [(400, 400), (400, 400, 3)])
def test_the_band_is_as_wide_as_the_uncertainty(shape: tuple[int, ...]) -> None:
    frame = apical_frame() if len(shape) == 2 else np.repeat(apical_frame()[..., None], 3, axis=2)
    narrow, broad = (tinted(still(frame, refinement(blur_px=blur))) for blur in (1.0, 5.0))
    assert narrow.shape == (STILL_PX, STILL_PX)
    assert 1.8 * narrow.sum() < broad.sum() < 0.6 * broad.size
    assert not broad[STILL_PX // 2, STILL_PX // 2]  # the cavity is sure


def test_where_nothing_may_be_lv_the_whole_sector_is_shown() -> None:
    empty = refinement((0.02,), blur_px=9.0)
    picture = still(apical_frame(), replace(empty, probability=np.zeros_like(empty.probability)))
    assert not tinted(picture).any()
    assert picture.max() > 50


def test_the_still_stands_beside_the_moving_picture_and_never_over_it() -> None:
    shown, overlay = analysis(), Overlay(30, refines=True)
    plain = overlay.draw(shown, LINE).copy()
    refined = overlay.draw(shown, LINE, refined=held(fraction=Spread(52, 58, 63))).copy()
    differs = (plain != refined).any(2)
    assert differs[INSET].sum() > 5000
    assert differs[FIGURES].sum() > 20  # the EF with its interval
    differs[INSET] = differs[FIGURES] = False
    assert not differs.any()
    assert not (overlay.draw(shown, LINE)[INSET] != plain[INSET]).any()  # and it goes


def test_volumes_that_are_withheld_now_are_not_shown() -> None:
    overlay, known = Overlay(30, refines=True), held(fraction=Spread(52, 58, 63))
    drawn = {}
    for why in ("", "view unknown"):
        now = replace(analysis(), withheld=Withheld("", "", why) if why else NOTHING)
        plain = overlay.draw(now, LINE).copy()
        drawn[why] = (overlay.draw(now, LINE, refined=known) != plain).any(2)
    assert drawn["view unknown"][INSET].sum() < drawn[""][INSET].sum()
    assert not drawn["view unknown"][FIGURES].any()


def test_a_frozen_picture_has_its_still_beside_the_banner() -> None:
    overlay = Overlay(30, refines=True)
    picture = overlay.draw_safe(apical_frame(), LINE, "PICTURE FROZEN: x", held(FROZEN_FRAME), (0, 0, 400, 400))
    assert tinted(picture[INSET]).sum() > 100
    colour = np.abs(picture[INSET].astype(int) - REFINED).max(2) < 12
    assert colour.any()  # the word FROZEN
    assert not tinted(overlay.draw_safe(apical_frame(), LINE, "NO SIGNAL: x")[INSET]).any()
