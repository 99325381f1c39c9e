"""Videos and DICOM files of known pictures, good ones and damaged ones, by real encoders."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

Pictures = Sequence[NDArray[np.uint8]]
INTERLACED_DCT, INTERLACED_ME = 1 << 18, 1 << 29
"""FFmpeg's AV_CODEC_FLAG_INTERLACED_DCT and _ME."""


def pictures(count: int, height: int = 96, width: int = 128, colour: bool = True) -> list[NDArray[np.uint8]]:
    """A bright square that moves over a slope, with a corner of its own, so that no turn of it looks like another."""
    found = []
    for number in range(count):
        grey = np.add.outer(np.arange(height), np.arange(width)) % 128
        grey[20:44, 8 + 2 * number : 32 + 2 * number] = 220
        grey[:12, :20] = 180
        grey = grey.astype(np.uint8)
        found.append(np.dstack([grey, grey // 2, grey // 3]) if colour else grey)
    return found


def write_video(
    path: Path,
    frames: Pictures,
    *,
    codec: str = "libx264",
    rate: int = 25,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    times: Sequence[int] | None = None,
    flags: int = 0,
) -> None:
    """HxWx3 RGB pictures; `aspect` is a pixel's width over its height, `times` each frame's own, in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {"crf": "4", "preset": "fast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = {"ffv1": "bgr0", "mjpeg": "yuvj444p"}.get(codec, "yuv420p")
        stream.codec_context.flags |= flags
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def data_set(frames: Pictures | NDArray[np.uint8], **tags: Any) -> Dataset:
    """An uncompressed multi-frame ultrasound data set; a tag of None is left out."""
    pixels = np.stack(list(frames))
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.NumberOfFrames, data.Rows, data.Columns = pixels.shape[:3]
    data.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    data.PhotometricInterpretation = "RGB" if pixels.ndim == 4 else "MONOCHROME2"
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.HighBit, data.PixelRepresentation, data.FrameTime = data.BitsStored - 1, 0, "20"
    data.PixelData = pixels.tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data


def region(x0: int, y0: int, x1: int, y1: int, **tags: Any) -> Dataset:
    """A two-dimensional tissue region of 0.05 cm a pixel; a tag of None is left out."""
    area = Dataset()
    area.RegionSpatialFormat, area.RegionDataType, area.RegionFlags = 1, 1, 2
    area.RegionLocationMinX0, area.RegionLocationMinY0 = x0, y0
    area.RegionLocationMaxX1, area.RegionLocationMaxY1 = x1, y1
    area.PhysicalUnitsXDirection = area.PhysicalUnitsYDirection = 3
    area.PhysicalDeltaX = area.PhysicalDeltaY = 0.05
    for name, value in tags.items():
        if value is None:
            delattr(area, name)
        else:
            setattr(area, name, value)
    return area


def compressed(data: Dataset, codestreams: Sequence[bytes], syntax: str) -> Dataset:
    """The data set with these codestreams in place of its pixels."""
    from pydicom.encaps import encapsulate

    data.PixelData = encapsulate(list(codestreams))
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = UID(syntax)
    return data


def saved(data: Dataset, path: Path) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path


def coded(frames: Pictures, codec: str, pixel_format: str = "gray") -> list[bytes]:
    """One codestream a picture, as FFmpeg's encoder of that name writes it, OpenCV's for grey baseline JPEG."""
    found = []
    for picture in frames:
        if codec == "mjpeg":  # OpenCV writes grey ones, FFmpeg none
            _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
            found.append(packed.tobytes())
            continue
        encoder = av.CodecContext.create(codec, "w")
        encoder.height, encoder.width = picture.shape[:2]
        encoder.pix_fmt, encoder.time_base = pixel_format, Fraction(1, 25)
        grey = picture.ndim == 2
        frame = av.VideoFrame.from_ndarray(picture, format="gray" if grey else "rgb24").reformat(format=pixel_format)
        packets = [*encoder.encode(frame), *encoder.encode(None)]
        found.append(b"".join(bytes(packet) for packet in packets))
    return found
