import itertools

import numpy as np
import pytest

from edge.errors import SourceError
from edge.sources import open_source
from edge.synth import SyntheticLoop


def test_a_synthetic_source_gives_its_frames() -> None:
    with open_source("synth://a2c?seed=3&fps=40&size=120&frames=5") as source:
        loop = SyntheticLoop(3, "A2C", 120, 40)
        captured = list(source)
        assert source.fps == 40
        assert source.stated.spacing_mm == loop.spacing_mm
    assert [c.number for c in captured] == [0, 1, 2, 3, 4]
    assert captured[4].time_s == pytest.approx(0.1)
    np.testing.assert_array_equal(captured[4].image, loop.frame(4).image)


def test_a_layout_gives_a_screen_and_its_region() -> None:
    with open_source("synth://a4c?layout=screen4&frames=1") as source:
        image = next(iter(source)).image
        assert image.shape == (480, 640, 3)
        assert source.region == (84, 22, 484, 422)
        assert source.stated.spacing_mm == SyntheticLoop(0, "A4C", 400).spacing_mm


def test_it_can_go_on_without_end() -> None:
    with open_source("synth://sax?size=80&fps=10&frames=0") as source:
        frames = iter(source)
        assert [next(frames).number for _ in range(25)] == list(range(25))


@pytest.mark.parametrize(
    ("uri", "word"),
    [
        ("synth://a9c", "A9C"),
        ("synth://a4c?sead=1", "sead"),
        ("synth://a4c?seed=one", "one"),
        ("synth://a4c?frames=-1", "frames"),
        ("synth://a4c?layout=tv", "tv"),
        ("synth://a4c?fps=0.1", "0.1"),
        ("synth://a4c?size=", "size"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(uri: str, word: str) -> None:
    with pytest.raises(SourceError, match=word):
        open_source(uri)


def test_a_dropout_leaves_two_seconds_out() -> None:
    with open_source("synth://a4c?seed=3&fps=10&size=64&frames=25&dropout=1") as source:
        times = [frame.time_s for frame in source]
    gaps = [round(later - earlier, 3) for earlier, later in itertools.pairwise(times)]
    assert [number for number, gap in enumerate(gaps, start=1) if gap > 0.2] == [10, 20]
    assert max(gaps) == pytest.approx(2.1)
