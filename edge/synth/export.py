"""Synthetic recordings as files: H.264 video, NIfTI with its masks, and calibrated multi-frame DICOM."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.dicom.regions import CENTIMETRES, TISSUE
from edge.errors import MissingExtraError
from edge.sinks.files import PartFile
from edge.sinks.video import add_video_stream

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]


def write_video(path: Path, pictures: Iterable[Picture], fps: float) -> None:
    """HxWx3 RGB or HxW grey uint8, all of one size, as .mp4; a side of odd length gains a black row or column."""
    file, written = PartFile(path), False
    rate = Fraction(fps).limit_denominator(1001)
    try:
        with av.open(str(file.part), "w", format="mp4") as container:
            stream = None
            for number, picture in enumerate(pictures):
                if stream is None:
                    height, width = (side + side % 2 for side in picture.shape[:2])
                    stream = add_video_stream(container, rate, width, height)
                    padded = np.zeros((height, width, 3), np.uint8)
                padded[: picture.shape[0], : picture.shape[1]] = picture if picture.ndim == 3 else picture[:, :, None]
                frame = av.VideoFrame.from_ndarray(padded, format="rgb24")
                frame.pts, frame.time_base = number, 1 / rate
                container.mux(stream.encode(frame))
            if stream is not None:
                container.mux(stream.encode(None))
                written = True
    finally:
        file.settle(written)


def write_json(path: Path, facts: dict[str, Any]) -> None:
    """Facts as indented JSON."""
    file = PartFile(path)
    file.part.write_bytes(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
    file.settle(True)


def write_nifti(path: Path, stack: NDArray[np.uint8], spacing_mm: tuple[float, float], fps: float) -> None:
    """Frames x rows x columns uint8 as .nii.gz, axes lateral, depth, time as in CAMUS; the third spacing is in ms."""
    try:
        import SimpleITK
    except ModuleNotFoundError as error:
        raise MissingExtraError("writing NIfTI", "data") from error
    image: Any = SimpleITK.GetImageFromArray(stack)
    image.SetSpacing((spacing_mm[1], spacing_mm[0], 1000 / fps))
    # ITK picks the format by the suffix, so the temporary name keeps it.
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part.{path.name}")
    try:
        SimpleITK.WriteImage(image, str(part), useCompression=True)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_dicom(
    path: Path,
    pictures: Sequence[Picture],
    fps: float,
    spacing_mm: tuple[float, float],
    region: Box,
    seed: int,
    hr_bpm: float,
) -> None:
    """Ultrasound Multi-frame Image Storage, uncompressed, grey or RGB, with one calibrated 2D tissue region.

    region (x0, y0, x1, y1) in pixels, x1 and y1 exclusive. UIDs follow from the content, so the same loop gives the
    same file; views of one seed are one patient's study. Raises MissingExtraError without pydicom.
    """
    try:
        import pydicom
        from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid
    except ModuleNotFoundError as error:
        raise MissingExtraError("writing DICOM", "dicom") from error
    stack = np.stack(pictures)
    colour = stack.ndim == 4
    name = f"{seed} {hashlib.sha256(stack.tobytes()).hexdigest()}"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[name, "instance"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID = generate_uid(entropy_srcs=[str(seed), "study"])
    data.SeriesInstanceUID = generate_uid(entropy_srcs=[name, "series"])
    data.PatientName, data.PatientID = "Synthetic^Loop", f"SYNTH{seed:05d}"
    data.PatientBirthDate = data.PatientSex = data.StudyDate = data.StudyTime = data.StudyID = ""
    data.ReferringPhysicianName = data.AccessionNumber = ""
    data.Modality, data.Manufacturer, data.SeriesNumber, data.InstanceNumber = "US", "synthetic", 1, 1
    data.ImageType = ["DERIVED", "PRIMARY"]
    data.ImageComments = "Computer-generated; no patient. Research use only."
    data.SamplesPerPixel = 3 if colour else 1
    data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data.PlanarConfiguration = 0
    data.NumberOfFrames, data.Rows, data.Columns = stack.shape[:3]
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.FrameTime = f"{1000 / fps:.6f}"
    data.FrameIncrementPointer = pydicom.tag.Tag("FrameTime")
    data.CineRate = round(fps)
    data.HeartRate = round(hr_bpm)
    data.LossyImageCompression = "00"
    data.SequenceOfUltrasoundRegions = [_tissue_region(Dataset(), region, spacing_mm)]
    pixels = stack.tobytes()
    data.PixelData = pixels + b"\0" * (len(pixels) % 2)
    file, written = PartFile(path), False
    try:
        data.save_as(file.part, enforce_file_format=True)
        written = True
    finally:
        file.settle(written)


def _tissue_region(area: Any, region: Box, spacing_mm: tuple[float, float]) -> Any:
    """Fill a pydicom Dataset as a calibrated 2D tissue region."""
    area.RegionSpatialFormat, area.RegionDataType, area.RegionFlags = 1, TISSUE, 2
    area.RegionLocationMinX0, area.RegionLocationMinY0 = region[0], region[1]
    area.RegionLocationMaxX1, area.RegionLocationMaxY1 = region[2] - 1, region[3] - 1
    area.PhysicalUnitsXDirection = area.PhysicalUnitsYDirection = CENTIMETRES
    area.PhysicalDeltaX, area.PhysicalDeltaY = spacing_mm[1] / 10, spacing_mm[0] / 10
    return area
