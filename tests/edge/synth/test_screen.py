import numpy as np
import pytest

from edge.errors import SourceError
from edge.screen.sector import find_sector
from edge.synth import SyntheticLoop
from edge.synth.compression import h264, jpeg
from edge.synth.screen import LAYOUTS, Layout, Screen, layout_of


def screen_of(layout: Layout, seed: int = 3) -> Screen:
    return Screen(layout, SyntheticLoop(seed, "A4C", layout.echo[2], severity=0.2))


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_truth_of_a_screen_is_what_it_shows(name: str) -> None:
    layout = LAYOUTS[name]
    screen = screen_of(layout)
    loop = screen._loop
    frames = [loop.frame(i) for i in (0, 7)]
    shown = [screen.compose(frame) for frame in frames]
    assert shown[0].shape == (layout.size[1], layout.size[0], 3)
    x0, y0, x1, y1 = screen.echo
    for frame, picture in zip(frames, shown):
        echo = picture[y0:y1, x0:x1]
        for channel in range(3):
            np.testing.assert_array_equal(echo[loop.sector, channel], frame.image[loop.sector])
        np.testing.assert_array_equal(screen.mask(frame)[y0:y1, x0:x1], frame.mask)
    outside = ~screen.sector
    if layout.tracing:
        outside[layout.tracing - 1 :] = False
    assert (shown[0][outside] == shown[1][outside]).all()
    assert shown[0][outside].max() > 100


@pytest.mark.parametrize("name", [n for n, layout in LAYOUTS.items() if layout.ticks])
def test_ticks_stand_one_centimetre_apart(name: str) -> None:
    layout = LAYOUTS[name]
    screen = screen_of(layout)
    x0, _, x1, _ = screen.echo
    column = x1 + 7 if layout.ticks == "right" else x0 - 12
    below_band, above_menu = layout.band + 1, layout.menu[1] if layout.menu and not layout.panels else None
    lit = np.flatnonzero(screen.compose(screen._loop.frame(0))[below_band:above_menu, column].max(1) > 60)
    steps = np.diff(lit)
    centimetre = 10 / screen.spacing_mm[0]
    assert len(lit) >= int(screen._loop.scan.depth)
    assert np.median(steps) == pytest.approx(centimetre, abs=1)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_sector_is_found_among_the_marks(name: str) -> None:
    screen = screen_of(LAYOUTS[name])
    pictures = [screen.compose(screen._loop.frame(i)) for i in range(0, 24, 3)]
    found = find_sector(pictures).mask
    assert (found & screen.sector).sum() / (found | screen.sector).sum() > 0.95


def test_the_layouts_have_the_usual_sizes_and_fit() -> None:
    sizes = {layout.size for layout in LAYOUTS.values()}
    assert {(1280, 720), (1024, 768), (800, 600), (640, 480)} <= sizes
    assert len(LAYOUTS) >= 5
    for layout in LAYOUTS.values():
        x, y, side = layout.echo
        assert x >= 0
        assert y >= 0
        assert x + side <= layout.size[0]
        assert y + side <= layout.size[1] + 1


def test_a_wrong_name_or_size_is_refused() -> None:
    with pytest.raises(SourceError, match="screen1"):
        layout_of("nothing")
    with pytest.raises(SourceError, match="610"):
        Screen(LAYOUTS["screen1"], SyntheticLoop(0, "A4C", 128))


@pytest.mark.parametrize("colour", [False, True])
def test_compression_leaves_artefacts_but_the_picture(colour: bool) -> None:
    image = SyntheticLoop(0, "A4C", 160).frame(0).image
    picture = np.stack([image, image // 2, image // 3], axis=2) if colour else image
    for out in (jpeg(picture, 50), h264([picture] * 3, 30, 28)[1]):
        assert out.shape == picture.shape
        assert (out != picture).any()
        assert np.abs(out.astype(int) - picture).mean() < 12
    assert (
        np.abs(jpeg(picture, 95).astype(int) - picture).mean() < np.abs(jpeg(picture, 30).astype(int) - picture).mean()
    )
