"""Every kind of file, good and bad, through `open_source`."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from edge.errors import SourceError
from edge.sources import open_source


def frames_of(path: object) -> list[NDArray[np.uint8]]:
    with open_source(str(path)) as source:
        return [captured.image for captured in source]


def write_video(path: Path, frames: int, fps: int = 25, codec: str = "libx264") -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(frames):
            picture = np.full((120, 160, 3), 20 + 8 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".avi", "mpeg4"), (".mkv", "libx264")])
def test_video_files(tmp_path: Path, suffix: str, codec: str) -> None:
    path = tmp_path / f"loop{suffix}"
    write_video(path, 12, codec=codec)
    with open_source(str(path)) as source:
        assert source.fps == 25
        captured = list(source)
    assert [c.number for c in captured] == list(range(12))
    assert captured[0].image.shape == (120, 160, 3)
    assert captured[5].time_s == pytest.approx(0.2, abs=0.01)
    means = [int(c.image.mean()) for c in captured]
    assert means == pytest.approx([20 + 8 * n for n in range(12)], abs=4)


def test_image_folder_in_the_order_of_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"frame_{number}.png"), np.full((8, 9), number, np.uint8))
    assert [int(f[0, 0]) for f in frames_of(tmp_path)] == [1, 2, 10]


def test_a_single_picture_in_colour_is_rgb(tmp_path: Path) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 2] = 255  # BGR
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert frames_of(tmp_path / "red.png")[0][0, 0].tolist() == [255, 0, 0]


def test_the_real_loop_has_its_scale_and_region(sonosite: str) -> None:
    with open_source(sonosite) as source:
        assert source.fps == pytest.approx(30, rel=1e-3)
        assert source.frames == 30
        # The file was halved from 640x480, its regions were not: 0.0510 cm a pixel there.
        assert source.stated.spacing_mm == pytest.approx((1.021, 1.021), abs=1e-3)
        assert source.region == (42, 15, 298, 208)
        images = [captured.image for captured in source]
    assert len(images) == 30
    assert images[0].shape == (240, 320, 3)


def dicom(path: Path, photometric: str, pixels: NDArray[np.uint8], **tags: object) -> Path:
    """A small uncompressed multi-frame ultrasound file; pixels N x H x W or N x H x W x 3."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.NumberOfFrames, data.Rows, data.Columns = pixels.shape[:3]
    data.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    data.PhotometricInterpretation = photometric
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.HighBit, data.PixelRepresentation, data.FrameTime = data.BitsStored - 1, 0, "20"
    for name, value in tags.items():
        setattr(data, name, value)
    data.PixelData = pixels.tobytes()
    data.save_as(path, enforce_file_format=True)
    return path


GREY = np.arange(2 * 6 * 8, dtype=np.uint8).reshape(2, 6, 8)


def test_monochrome_dicom(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", "MONOCHROME2", GREY)
    assert np.array_equal(frames_of(path), GREY)
    with open_source(str(path)) as source:
        assert source.fps == 50
        assert source.stated.spacing_mm is None


def test_inverted_monochrome_dicom(tmp_path: Path) -> None:
    assert np.array_equal(frames_of(dicom(tmp_path / "a.dcm", "MONOCHROME1", GREY)), 255 - GREY)


def test_rgb_dicom(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), np.uint8)
    assert np.array_equal(frames_of(dicom(tmp_path / "a.dcm", "RGB", colour)), colour)


def test_ybr_dicom_becomes_rgb(tmp_path: Path) -> None:
    grey_in_ybr = np.full((1, 4, 4, 3), 128, np.uint8)
    grey_in_ybr[..., 0] = 77
    assert frames_of(dicom(tmp_path / "a.dcm", "YBR_FULL", grey_in_ybr))[0][0, 0].tolist() == [77, 77, 77]


def test_palette_dicom(tmp_path: Path) -> None:
    ramp = (np.arange(256, dtype=np.uint16) * 257).tobytes()
    flat = np.zeros(256, np.uint16).tobytes()
    tags = {f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in ("Red", "Green", "Blue")}
    contents = {"Red": ramp, "Green": flat, "Blue": flat}
    tables = {f"{c}PaletteColorLookupTableData": content for c, content in contents.items()}
    frame = frames_of(dicom(tmp_path / "a.dcm", "PALETTE COLOR", GREY, **tags, **tables))[0]
    assert frame.shape == (6, 8, 3)
    assert np.array_equal(frame[..., 0], GREY[0])
    assert not frame[..., 1:].any()


def test_dicom_is_known_by_content_not_by_name(tmp_path: Path) -> None:
    assert len(frames_of(dicom(tmp_path / "IM_0001", "MONOCHROME2", GREY))) == 2


def absent(folder: Path) -> Path:
    return folder / "absent.mp4"


def empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def text(folder: Path) -> Path:
    (folder / "text.mp4").write_text("this is no video\n" * 50)
    return folder / "text.mp4"


def sound_only(folder: Path) -> Path:
    with wave.open(str(folder / "sound.mp4"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    return folder / "sound.mp4"


def truncated_video(folder: Path) -> Path:
    write_video(folder / "whole.mp4", 12)
    path = folder / "cut.mp4"
    path.write_bytes((folder / "whole.mp4").read_bytes()[:500])
    return path


def sixteen_bits(folder: Path) -> Path:
    return dicom(folder / "deep.dcm", "MONOCHROME2", GREY.astype(np.uint16))


def truncated_dicom(folder: Path) -> Path:
    whole = dicom(folder / "whole.dcm", "MONOCHROME2", GREY).read_bytes()
    (folder / "cut.dcm").write_bytes(whole[:-70])
    return folder / "cut.dcm"


def header_only_dicom(folder: Path) -> Path:
    (folder / "head.dcm").write_bytes(dicom(folder / "whole.dcm", "MONOCHROME2", GREY).read_bytes()[:200])
    return folder / "head.dcm"


def no_pixels(folder: Path) -> Path:
    path = dicom(folder / "report.dcm", "MONOCHROME2", GREY)
    data = dcmread(path)
    del data.PixelData
    data.save_as(path)
    return path


def empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


def two_sizes(folder: Path) -> Path:
    (folder / "mixed").mkdir()
    for side in (8, 9):
        cv2.imwrite(str(folder / "mixed" / f"{side}.png"), np.zeros((side, side), np.uint8))
    return folder / "mixed"


def deep_picture(folder: Path) -> Path:
    cv2.imwrite(str(folder / "deep.png"), np.zeros((8, 8), np.uint16))
    return folder / "deep.png"


BAD = {
    absent: "does not exist",
    empty: r"is empty \(0 bytes\)",
    text: "is no video that FFmpeg can read",
    sound_only: "holds no video stream",
    truncated_video: "is no video|does not decode|holds no frames",
    sixteen_bits: "stores 16-bit pixels",
    truncated_dicom: "damaged or truncated",
    header_only_dicom: "truncated",
    no_pixels: "holds no pixel data",
    empty_folder: "holds no pictures",
    two_sizes: "all of one size",
    deep_picture: "uint16 pixels",
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns of the damage that the test made
@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_bad_input_says_what_is_wrong(tmp_path: Path, make: object) -> None:
    with pytest.raises(SourceError, match=BAD[make]):  # type: ignore[index]
        frames_of(make(tmp_path))  # type: ignore[operator]
