"""Pictures in memory as a source."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from echoedge.array_source import NOMINAL_FPS, ArraySource, clip_of
from edge.errors import SourceError


@pytest.mark.parametrize(
    ("shape", "frames", "image"),
    [
        ((40, 60), 1, (40, 60)),
        ((40, 60, 1), 1, (40, 60)),
        ((40, 60, 3), 1, (40, 60, 3)),
        ((40, 60, 4), 1, (40, 60, 3)),
        ((5, 40, 60), 5, (40, 60)),
        ((5, 40, 60, 1), 5, (40, 60)),
        ((5, 40, 60, 3), 5, (40, 60, 3)),
        ((5, 40, 60, 4), 5, (40, 60, 3)),
    ],
)
def test_grey_and_colour_of_one_picture_and_of_clips(
    shape: tuple[int, ...], frames: int, image: tuple[int, ...]
) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    source = ArraySource(pictures, 50, 0.3)
    captured = list(source)
    assert source.frames == len(captured) == frames
    assert {frame.image.shape for frame in captured} == {image}
    assert all(frame.image.flags.c_contiguous for frame in captured)
    clip = clip_of(pictures)
    for number, frame in enumerate(captured):
        expected = clip[number]
        if expected.ndim == 3:
            expected = expected[..., 0] if expected.shape[2] == 1 else expected[..., :3]
        assert (frame.image == expected).all()
        assert (frame.number, frame.time_s) == (number, number / 50)
    assert source.stated.spacing_mm == (0.3, 0.3)


def test_what_is_not_said_of_an_array() -> None:
    source = ArraySource(np.zeros((2, 40, 60), np.uint8))
    assert (source.fps, source.stated.spacing_mm) == (NOMINAL_FPS, None)
    assert ArraySource(np.zeros((40, 60), np.uint8), spacing_mm=(0.2, 0.25)).stated.spacing_mm == (0.2, 0.25)


@pytest.mark.parametrize(
    ("pictures", "told"),
    [
        (np.zeros((4, 40, 60)), "holds float64; an echo's pictures are uint8"),
        (np.full((4, 40, 60), np.nan, np.float32), "holds float32 with NaN or infinity; .*scale it"),
        (np.zeros((4, 40, 60), np.uint16), "holds uint16"),
        (np.zeros((4, 40, 60), bool), "holds bool"),
        (np.zeros(60, np.uint8), "is 60; give H x W"),
        (np.uint8(3), "is a single number"),
        (np.zeros((4, 40, 60, 2), np.uint8), "is 4x40x60x2; give H x W"),
        (np.zeros((0, 40, 60), np.uint8), "is 0x40x60"),
        (np.zeros((2, 4, 40, 60, 3), np.uint8), "is 2x4x40x60x3"),
        (np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (1, 10_000, 10_000), (0, 0, 0)), "100 megapixels"),
    ],
)
def test_what_is_no_clip_is_refused(pictures: np.ndarray, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        ArraySource(pictures)


@pytest.mark.parametrize("fps", [0.0, -25.0, math.nan, math.inf, 2000.0])
def test_a_rate_that_is_none_is_refused(fps: float) -> None:
    with pytest.raises(SourceError, match=f"fps is {fps:g}; give frames a second"):
        ArraySource(np.zeros((2, 40, 60), np.uint8), fps)


@pytest.mark.parametrize("spacing", [0.0, -0.3, math.nan, (0.3, math.inf), (0.3, 0.3, 0.3), ()])
def test_a_spacing_that_is_none_is_refused(spacing: float | tuple[float, float]) -> None:
    with pytest.raises(SourceError, match=re.escape(f"spacing_mm is {spacing}; give mm per pixel")):
        ArraySource(np.zeros((2, 40, 60), np.uint8), 30, spacing)
