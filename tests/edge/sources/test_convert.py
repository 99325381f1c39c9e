from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from edge.sources.convert import Converter


def smooth(height: int, width: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(20, 230, (9, 16, 3), np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (480, 638), (722, 1280), (120, 160)])
@pytest.mark.parametrize("colorspace", [2, 5, 1])
def test_yuv_becomes_what_ffmpeg_makes_of_it(height: int, width: int, colorspace: int) -> None:
    frame = av.VideoFrame.from_ndarray(smooth(height, width), format="rgb24").reformat(format="yuv420p")
    frame.colorspace = colorspace
    expected = frame.to_ndarray(format="rgb24").astype(int)
    found = Converter().image(frame)
    assert found.shape == (height, width, 3)
    difference = np.abs(found - expected)
    assert difference.mean() < 1.5  # chroma is interpolated differently
    assert np.median(difference) <= 1


def test_full_range_and_grey_are_kept() -> None:
    full = av.VideoFrame.from_ndarray(smooth(64, 64), format="rgb24").reformat(format="yuvj420p")
    assert np.abs(Converter().image(full) - full.to_ndarray(format="rgb24").astype(int)).mean() < 1.5
    picture = smooth(50, 70)[..., 0]
    assert np.array_equal(Converter().image(av.VideoFrame.from_ndarray(picture, format="gray")), picture)


def test_each_frame_has_its_own_array_and_a_new_size_is_taken() -> None:
    converter = Converter()
    made = [
        av.VideoFrame.from_ndarray(np.full((64, 96, 3), v, np.uint8), format="rgb24").reformat(format="yuv420p")
        for v in (40, 200)
    ]
    first, second = (converter.image(frame) for frame in made)
    assert abs(int(first.mean()) - 40) <= 2
    assert abs(int(second.mean()) - 200) <= 2
    assert converter.image(made[0].reformat(width=48, height=32)).shape == (32, 48, 3)
