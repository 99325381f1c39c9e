"""DICOM ultrasound of every compression, with the odd metadata that scanners and archives write."""

from __future__ import annotations

import base64
import contextlib
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom.data
import pytest
from pydicom.data import get_testdata_file

from edge.dicom import codestream
from edge.errors import EchoEdgeError, MissingExtraError, SourceError
from edge.sources import open_source
from tests.edge.sources.recordings import coded, compressed, data_set, pictures, region, saved, write_video

GREY = pictures(4, colour=False)
COLOUR = pictures(4)
HTJ2K = (
    "/0//UQApQAAAAAAgAAAAGAAAAAAAAAAAAAAAIAAAABgAAAAAAAAAAAABBwEB/1AACAACAAAAAv9SAAwAAgABAAUEBEAB/1wAEyBIUFBQUFBQUFBQUFBQ"
    "SEhI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAIcAAf+TwCXxAId0AMASwBKAkAEHdACIAQd0AMATQBGACPIAgnQABjMAwBUQBUhCiKAC"
    "MAJ2AKIoisAAAb62AMAVUAVoAAAA54Cnp8J3ABAAAAD++nJ798nsuADAK2AWiKqqqvn+Kenp6eniegBWVVVV/3GFe/de/de/dey9AP/Z"
)
"""By OpenJPH, lossless: a slope of 24 x 32 pixels."""


def test_lossless_jpeg_is_exact(tmp_path: Path) -> None:
    with open_source(str(get_testdata_file("SC_rgb_jpeg_gdcm.dcm"))) as source:
        found = next(iter(source)).image
    with open_source(str(get_testdata_file("SC_rgb_rle.dcm"))) as source:
        assert np.array_equal(found, next(iter(source)).image)
    data = compressed(data_set(COLOUR), coded(COLOUR, "ljpeg", "bgr24"), "1.2.840.10008.1.2.4.70")
    with open_source(str(saved(data, tmp_path / "a.dcm"))) as source:
        assert np.array_equal(np.stack([f.image for f in source]), np.stack(COLOUR))


@pytest.mark.parametrize(
    ("syntax", "codec", "tolerance"),
    [
        ("50", "mjpeg", 4),
        ("70", "mjpeg", 4),  # a label that the frames do not bear out
        ("80", "jpegls", 0),
        ("90", "jpeg2000", 4),
    ],
)
def test_what_the_frames_hold_is_decoded(tmp_path: Path, syntax: str, codec: str, tolerance: float) -> None:
    codestreams = coded(GREY, codec)
    data = compressed(data_set(GREY), codestreams, f"1.2.840.10008.1.2.4.{syntax}")
    with open_source(str(saved(data, tmp_path / "a.dcm"))) as source:
        found = [f.image for f in source]
        assert source.damaged == 0
    assert np.abs(np.stack(found).astype(int) - np.stack(GREY)).mean() <= tolerance


def test_high_throughput_jpeg_2000_is_decoded(tmp_path: Path) -> None:
    slope = (np.add.outer(np.arange(24), np.arange(32)) * 4 % 256).astype(np.uint8)
    data = compressed(data_set([slope]), [base64.b64decode(HTJ2K)], "1.2.840.10008.1.2.4.201")
    with open_source(str(saved(data, tmp_path / "a.dcm"))) as source:
        assert np.array_equal(next(iter(source)).image, slope)
    assert np.array_equal(codestream.decode(base64.b64decode(HTJ2K)), slope)


def test_colours_of_a_jpeg_are_those_of_the_data_set() -> None:
    for name in ("SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_jls_lossy_line.dcm"):
        with open_source(str(get_testdata_file(name))) as source:
            assert next(iter(source)).image[5, 50].tolist() == pytest.approx([255, 0, 0], abs=4), name


@pytest.mark.parametrize(
    ("syntax", "codec", "suffix"), [("102", "libx264", "mp4"), ("100.1", "mpeg2video", "mpg"), ("107", "libx265", "ts")]
)
def test_a_video_in_place_of_frames_is_decoded(tmp_path: Path, syntax: str, codec: str, suffix: str) -> None:
    frames = pictures(12, 128, 160)
    path = tmp_path / f"video.{suffix}"
    options = {"b": "4000000"} if codec == "mpeg2video" else {"crf": "6"}
    write_video(path, frames, codec=codec, options=options)
    stream = path.read_bytes()
    pieces = [stream[at : at + 4096] for at in range(0, len(stream), 4096)] if ".1" in syntax else [stream]
    data = compressed(data_set(frames, Rows=64, Columns=80), pieces, f"1.2.840.10008.1.2.4.{syntax}")
    data.SequenceOfUltrasoundRegions = [region(10, 10, 150, 120)]
    with open_source(str(saved(data, tmp_path / "a.dcm"))) as source:
        found = list(source)
        assert source.region == (10, 10, 151, 121)  # of the video's own size, whatever Rows and Columns say
        assert source.stated.spacing_mm == pytest.approx((0.5, 0.5))
    assert len(found) == 12
    assert [f.time_s for f in found] == pytest.approx([n / 50 for n in range(12)])  # Frame Time, not the video's 25
    assert np.abs(found[6].image.astype(int) - frames[6]).mean() < 6


def test_a_syntax_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    data = compressed(data_set(GREY), [b"\x01\x02" * 40] * 4, "1.2.840.10008.1.2.4.94")  # JPIP
    with pytest.raises(SourceError, match="JPIP"):
        list(open_source(str(saved(data, tmp_path / "a.dcm"))))


def test_a_missing_decoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders.base import Decoder

    monkeypatch.setattr(Decoder, "is_available", property(lambda self: False))
    path = get_testdata_file("SC_rgb_jls_lossy_sample.dcm")  # interleaved by sample, which FFmpeg does not read
    with pytest.raises(MissingExtraError, match=r"JPEG-LS.*echoedge\[dicom\]"):
        list(open_source(str(path)))


NO_RATE = {"FrameTime": None}


@pytest.mark.parametrize(
    ("tags", "times"),
    [
        ({}, [0, 0.02, 0.04, 0.06]),
        ({**NO_RATE, "FrameTimeVector": [0, 20, 200, 30]}, [0, 0.02, 0.22, 0.25]),
        ({**NO_RATE, "FrameTimeVector": [20, 200, 30]}, [0, 0.02, 0.22, 0.25]),
        ({**NO_RATE, "FrameTimeVector": [40.0]}, [0, 0.04, 0.08, 0.12]),
        ({**NO_RATE, "FrameTimeVector": [0, 20, -5, 30], "CineRate": "20"}, [0, 0.025, 0.05, 0.075]),
        ({**NO_RATE, "CineRate": "25"}, [0, 0.04, 0.08, 0.12]),
        ({"FrameTime": "0", "CineRate": "25"}, [0, 0.04, 0.08, 0.12]),
        ({"FrameTime": "", "RecommendedDisplayFrameRate": "50"}, [0, 0.02, 0.04, 0.06]),
        (NO_RATE, [0, 1 / 30, 2 / 30, 0.1]),
    ],
)
def test_times_are_those_that_the_file_states(tmp_path: Path, tags: dict[str, Any], times: list[float]) -> None:
    with open_source(str(saved(data_set(GREY, **tags), tmp_path / "a.dcm"))) as source:
        found = [f.time_s for f in source]
        assert source.fps == pytest.approx(3 / times[-1], rel=0.35)
    assert found == pytest.approx(times)


BOX = (4, 6, 120, 90)


@pytest.mark.parametrize(
    ("tags", "spacing_mm", "problem"),
    [
        ({}, 0.5, ""),
        ({"PhysicalDeltaY": -0.05}, 0.5, ""),
        ({"PhysicalDeltaX": None, "PhysicalDeltaY": None}, None, "is missing or no number"),
        ({"PhysicalDeltaX": math.nan}, None, "is missing or no number"),
        ({"PhysicalUnitsXDirection": 4}, None, "in seconds, not in cm"),
        ({"PhysicalUnitsYDirection": None}, None, "has no unit, not in cm"),
        ({"PhysicalDeltaX": 0.5}, None, "10 times as wide as high"),
        ({"RegionLocationMaxX1": 4000}, None, "is outside of a picture"),
    ],
)
def test_the_scale_of_a_region(tmp_path: Path, tags: dict[str, Any], spacing_mm: float | None, problem: str) -> None:
    data = data_set(GREY, SequenceOfUltrasoundRegions=[region(*BOX, **tags)])
    with open_source(str(saved(data, tmp_path / "a.dcm"))) as source:
        assert len(list(source)) == 4
        assert source.stated.by == "DICOM region"
        assert problem in source.stated.problem
        expected = None if spacing_mm is None else pytest.approx((spacing_mm, spacing_mm))
        assert source.stated.spacing_mm == expected


@pytest.mark.parametrize(
    "strip",
    [
        {"RegionDataType": 3, "PhysicalUnitsXDirection": 4, "PhysicalUnitsYDirection": 7},  # spectral Doppler
        {"RegionSpatialFormat": 2, "PhysicalUnitsXDirection": 4},  # M-mode of tissue
        {"RegionDataType": 10, "RegionSpatialFormat": 5},  # ECG
        {"RegionDataType": None},
        {"RegionLocationMaxX1": None},
    ],
)
def test_of_several_regions_the_two_dimensional_one_counts(tmp_path: Path, strip: dict[str, Any]) -> None:
    regions = [region(0, 0, 127, 95, **strip), region(*BOX, PhysicalDeltaX=0.04, PhysicalDeltaY=0.04)]
    with open_source(str(saved(data_set(GREY, SequenceOfUltrasoundRegions=regions), tmp_path / "a.dcm"))) as source:
        assert source.region == (4, 6, 121, 91)
        assert source.stated.spacing_mm == pytest.approx((0.4, 0.4))


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([{"RegionSpatialFormat": 2, "PhysicalUnitsXDirection": 4}], "M-mode stands beside the 2D picture"),
        ([{"RegionSpatialFormat": 3, "RegionDataType": 3}] * 2, ": a spectrum stands beside the 2D picture"),
        ([{}], "a second 2D picture stands beside"),
        ([{"RegionDataType": 10, "RegionSpatialFormat": 5}], ""),
    ],
)
def test_what_is_left_out_beside_the_two_dimensional_region_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, others: list[dict[str, Any]], words: str
) -> None:
    regions = [region(*BOX), *(region(0, 0, 40, 30, **other) for other in others)]
    with open_source(str(saved(data_set(GREY, SequenceOfUltrasoundRegions=regions), tmp_path / "a.dcm"))) as source:
        assert source.region == (4, 6, 121, 91)
    assert words in caplog.text
    assert words or "left out" not in caplog.text


def test_a_screen_without_a_two_dimensional_region_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    strip = region(*BOX, RegionSpatialFormat=3, RegionDataType=3)
    with open_source(str(saved(data_set(GREY, SequenceOfUltrasoundRegions=[strip]), tmp_path / "a.dcm"))) as source:
        assert source.region is None
    assert "a spectrum and no 2D picture" in caplog.text


def test_pixels_are_made_square_by_the_deltas(tmp_path: Path) -> None:
    narrow = [cv2.resize(f, (64, 96), interpolation=cv2.INTER_AREA) for f in GREY]
    data = data_set(narrow, SequenceOfUltrasoundRegions=[region(2, 6, 60, 90, PhysicalDeltaX=0.1)])
    with open_source(str(saved(data, tmp_path / "a.dcm"))) as source:
        found = next(iter(source)).image
        assert source.stated.spacing_mm == pytest.approx((0.5, 0.5))
        assert source.region == (4, 6, 122, 91)
    assert found.shape == GREY[0].shape
    assert np.abs(found.astype(int) - GREY[0]).mean() < 6


def test_pixels_are_made_square_by_the_aspect_ratio(tmp_path: Path) -> None:
    flat = [cv2.resize(f, (128, 48), interpolation=cv2.INTER_AREA) for f in GREY]
    with open_source(str(saved(data_set(flat, PixelAspectRatio=[2, 1]), tmp_path / "a.dcm"))) as source:
        assert next(iter(source)).image.shape == GREY[0].shape
        assert source.stated.spacing_mm is None


def test_an_aspect_ratio_and_deltas_that_disagree_are_no_scale(tmp_path: Path) -> None:
    data = data_set(GREY, PixelAspectRatio=[1, 2], SequenceOfUltrasoundRegions=[region(*BOX)])
    with open_source(str(saved(data, tmp_path / "a.dcm"))) as source:
        assert source.stated.spacing_mm is None
        assert "Pixel Aspect Ratio" in source.stated.problem


@pytest.mark.parametrize("value", [None, ""])
def test_frames_that_are_not_counted_are_found(tmp_path: Path, value: object) -> None:
    with open_source(str(saved(data_set(GREY, NumberOfFrames=value), tmp_path / "a.dcm"))) as source:
        assert len(list(source)) == 4
    jpegs = coded(GREY, "mjpeg")
    data = compressed(data_set(GREY, NumberOfFrames=value), jpegs, "1.2.840.10008.1.2.4.50")
    with open_source(str(saved(data, tmp_path / "b.dcm"))) as source:
        assert len(list(source)) == 4


def test_a_picture_larger_than_any_screen_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = data_set(GREY, Rows=32_000, Columns=32_000)
    with pytest.raises(SourceError, match="1024 megapixels"):
        open_source(str(saved(data, tmp_path / "a.dcm")))


def test_no_file_of_pydicom_does_more_than_a_refusal() -> None:
    seen = 0
    for path in (Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"):
        with contextlib.suppress(EchoEdgeError), open_source(str(path)) as source:
            seen += len(list(source))
    assert seen > 50
