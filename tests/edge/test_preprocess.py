from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.preprocess import Box, PreprocessSpec, as_frame, grey, grey_crop, preprocess, resample, square_around

pytestmark = pytest.mark.portable


def test_grey_keeps_grey_and_weights_colour() -> None:
    frame = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert grey(frame) is frame
    green = np.zeros((2, 2, 3), np.uint8)
    green[..., 1] = 255
    assert grey(green)[0, 0] == 150  # BT.601: 0.587 * 255


def test_alpha_and_a_last_axis_of_one_are_let_go() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    with_alpha = np.dstack([colour, np.full((4, 5), 7, np.uint8)])
    assert np.array_equal(as_frame(with_alpha), colour)
    assert np.array_equal(as_frame(colour[..., :1]), colour[..., 0])
    assert as_frame(colour) is colour
    assert np.array_equal(grey(with_alpha), grey(colour))


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4), np.uint16),
        np.zeros((4, 4), np.int16),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
)
def test_grey_refuses_other_frames_in_words(frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"a frame must be"):
        grey(frame)


def test_square_around_is_centred_across_and_flush_with_the_top() -> None:
    assert square_around(10, 20, 110, 70) == Box(10, 20, 100)
    assert square_around(10, 20, 60, 120) == Box(-15, 20, 100)


def test_whole_image_crop_equals_plain_resize() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    expected = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.array_equal(resample(image, Box(0, 0, 300), 64, cv2.INTER_AREA), expected)


def test_what_lies_outside_the_frame_is_black() -> None:
    image = np.full((100, 60), 200, np.uint8)
    out = resample(image, Box(-20, 0, 100), 100, cv2.INTER_AREA)
    assert not out[:, :20].any()
    assert not out[:, 80:].any()
    assert (out[:, 20:80] == 200).all()


def test_a_box_beside_the_frame_is_all_black() -> None:
    assert not resample(np.full((50, 50), 9, np.uint8), Box(80, 80, 20), 16, cv2.INTER_AREA).any()


def test_colour_and_grey_frames_give_the_same_input() -> None:
    image = np.random.default_rng(1).integers(0, 256, (120, 160), np.uint8)
    spec = PreprocessSpec(96)
    box = Box(-10, 5, 130)
    colour = np.repeat(image[..., None], 3, axis=2)
    assert np.array_equal(preprocess(image, box, spec), preprocess(colour, box, spec))


@pytest.mark.parametrize("box", [Box(-10, 5, 130), Box(20.4, 10.6, 60.5), Box(100, 60, 200)])
def test_a_shared_grey_crop_gives_the_same_input(box: Box) -> None:
    frame = np.random.default_rng(4).integers(0, 256, (120, 160, 3), np.uint8)
    for size in (96, 33):
        assert np.array_equal(
            preprocess(*grey_crop(frame, box), PreprocessSpec(size)), preprocess(frame, box, PreprocessSpec(size))
        )


def test_the_given_buffer_is_filled() -> None:
    image = np.random.default_rng(2).integers(0, 256, (90, 90), np.uint8)
    buffer = np.full((1, 1, 32, 32), 7, np.uint8)
    result = preprocess(image, Box(0, 0, 90), PreprocessSpec(32), buffer)
    assert result is buffer
    halved = cv2.resize(image, (45, 45), interpolation=cv2.INTER_AREA)
    assert np.array_equal(buffer[0, 0], cv2.resize(halved, (32, 32), interpolation=cv2.INTER_LINEAR))


@pytest.mark.parametrize("side", [150, 241, 1001])
def test_no_pixel_is_passed_over_when_a_picture_shrinks(side: int) -> None:
    """Noise keeps its mean, loses its variance as it does in exact averages, and stays in place to within a pixel."""
    image = np.random.default_rng(3).integers(0, 251, (side, side)).astype(np.uint8)
    image[side // 2 :, side // 2 :] = 0
    box = Box(0, 0, side)
    linear = resample(image, box, 64, cv2.INTER_LINEAR).astype(float)
    exact = resample(image, box, 64, cv2.INTER_AREA).astype(float)
    assert linear[:30, :30].mean() == pytest.approx(exact[:30, :30].mean(), rel=0.02)
    assert linear[:30, :30].std() < 1.7 * exact[:30, :30].std()
    assert not linear[34:, 34:].any()


@given(
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.floats(1, 2000),
    st.integers(8, 1024),
    st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
)
def test_points_survive_the_way_there_and_back(
    x: float, y: float, side: float, size: int, point: tuple[float, float]
) -> None:
    box = Box(x, y, side)
    there = box.to_input(np.array([point]), size)
    assert np.allclose(box.to_frame(there, size), [point], atol=1e-6 * max(1, side))
