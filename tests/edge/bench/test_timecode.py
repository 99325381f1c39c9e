from __future__ import annotations

import io

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bench.timecode import WRAP, TimeCode, age_ms, draw_code, read_code, ticks_of
from edge.sinks.encoder_choice import SOFTWARE

codes = st.builds(TimeCode, st.integers(0, WRAP - 1), st.integers(0, 0xFFFF))


def screen(seed: int, height: int = 720, width: int = 1280) -> np.ndarray:
    """A dark screen with speckle and a bright panel, as a scanner's."""
    rng = np.random.default_rng(seed)
    picture = cv2.GaussianBlur(rng.integers(0, 90, (height, width, 3), np.uint8), (5, 5), 0)
    cv2.rectangle(picture, (width // 2, height // 2), (width - 5, height - 5), (200, 210, 190), -1)
    return picture


@settings(deadline=None, max_examples=60)
@given(
    codes,
    st.floats(0.4, 2.0),
    st.integers(25, 95),
    st.integers(0, 900),
    st.integers(0, 500),
    st.floats(0.5, 1.0),
    st.integers(0, 40),
    st.integers(0, 99),
)
def test_survives_place_scale_contrast_and_jpeg(
    code: TimeCode, scale: float, quality: int, x: int, y: int, gain: float, offset: int, seed: int
) -> None:
    picture = screen(seed)
    draw_code(picture, code, (x, y))
    changed = cv2.convertScaleAbs(picture, alpha=gain, beta=offset)
    scaled = cv2.resize(changed, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    _, jpeg = cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert read_code(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)) == code


@pytest.mark.parametrize("bit_rate", [1_000_000, 4_000_000])
def test_survives_h264_at_half_size(bit_rate: int) -> None:
    rng = np.random.default_rng(5)
    sent = [TimeCode(int(rng.integers(WRAP)), n) for n in range(20)]
    file = io.BytesIO()
    encoder = next(name for name in SOFTWARE if name in av.codecs_available)
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream(encoder, rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 640, 360, "yuv420p", bit_rate
        for code in sent:
            picture = screen(code.number)
            draw_code(picture, code)
            small = cv2.resize(picture, (640, 360), interpolation=cv2.INTER_LINEAR)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="rgb24")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        read = [read_code(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert read == sent


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_reads_nothing_where_there_is_no_code(seed: int) -> None:
    assert read_code(screen(seed)) is None


def test_a_damaged_code_is_refused() -> None:
    picture = screen(1)
    draw_code(picture, TimeCode(123456, 7))
    picture[44:56, 80:92] = 255 - picture[44:56, 80:92]  # one cell turned over
    assert read_code(picture) is None


@given(st.integers(0, 2**62), st.integers(0, 10**12))
def test_age_across_the_wrap(start_ns: int, age_ns: int) -> None:
    assert age_ms(TimeCode(ticks_of(start_ns), 0), start_ns + age_ns) == pytest.approx(age_ns / 1e6, abs=0.11)


def test_a_code_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        draw_code(np.zeros((50, 50), np.uint8), TimeCode(0, 0))
