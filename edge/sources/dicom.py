"""DICOM ultrasound: single and multi-frame, grey, RGB, YBR and palette colour, compressed or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.dicom.regions import CENTIMETRES, TISSUE
from edge.errors import MissingExtraError, SourceError
from edge.sources.base import Captured

SUFFIXES = {".dcm", ".dicom"}
DEFAULT_FPS = 30.0


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM prefix after its 128-byte preamble (PS3.10, 7.1)."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


class DicomSource:
    """The frames of one DICOM file, one decoded at a time; spacing and echo area from its ultrasound regions."""

    def __init__(self, path: Path) -> None:
        try:
            import pydicom
            from pydicom import pixels
        except ImportError as error:
            raise MissingExtraError("reading DICOM", "dicom") from error
        self.uri = str(path)
        self._pixels = pixels
        try:
            data = pydicom.dcmread(path)
            rows, columns = int(data.Rows), int(data.Columns)
            bits, self._photometric = int(data.BitsAllocated), str(data.PhotometricInterpretation)
            self.frames: int | None = int(data.get("NumberOfFrames", 1) or 1)
        except (pydicom.errors.InvalidDicomError, AttributeError, ValueError, EOFError, OSError) as error:
            raise SourceError(
                f"{path} is no DICOM image, or a truncated one ({error}); send it from the scanner again"
            ) from error
        if "PixelData" not in data:
            raise SourceError(f"{path} holds no pixel data; is it a report or a truncated file?")
        if bits != 8 and self._photometric != "PALETTE COLOR":
            raise SourceError(
                f"{path} stores {bits}-bit pixels; echo frames have 8 bits: export the clip as 8-bit ultrasound"
            )
        self._data = data
        self.fps = _rate_of(data)
        self.region, self.spacing_mm = _calibration_of(data, rows, columns)

    def __iter__(self) -> Iterator[Captured]:
        for number in range(self.frames or 0):
            captured_ns = time.monotonic_ns()
            yield Captured(number, self._decode(number), captured_ns, number / self.fps)

    def _decode(self, number: int) -> NDArray[np.uint8]:
        try:
            image = self._pixels.pixel_array(self._data, index=number)
        except ImportError as error:
            raise MissingExtraError("decoding this DICOM file", "dicom") from error
        except Exception as error:  # pydicom and its decoders raise many kinds for damaged pixel data
            if "missing dependencies" in str(error):
                raise MissingExtraError("decoding this DICOM file", "dicom") from error
            raise SourceError(
                f"{self.uri}: frame {number + 1} of {self.frames} does not decode "
                f"({str(error).splitlines()[0]}); the file is damaged or truncated"
            ) from error
        if self._photometric == "PALETTE COLOR":
            image = self._pixels.apply_color_lut(image, self._data)
            image = (image >> 8 if image.dtype == np.uint16 else image).astype(np.uint8)
        elif self._photometric == "MONOCHROME1":
            image = 255 - image
        return np.ascontiguousarray(image)

    def __enter__(self) -> DicomSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._data


def _rate_of(data: Any) -> float:
    """Frames per second from Cine Rate, Recommended Display Frame Rate, Frame Time or the mean of its vector."""
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        if data.get(keyword):
            return float(data[keyword].value)
    if data.get("FrameTime"):
        return 1000 / float(data.FrameTime)
    vector = [float(ms) for ms in data.get("FrameTimeVector") or [] if float(ms) > 0]
    return 1000 * len(vector) / sum(vector) if vector else DEFAULT_FPS


def _calibration_of(
    data: Any, rows: int, columns: int
) -> tuple[tuple[int, int, int, int] | None, tuple[float, float] | None]:
    """(region, spacing in mm) of the largest calibrated tissue region (PS3.3 C.8.5.5), each None where absent.

    Some exports shrink the pixels and keep the regions of the original screen: a region that reaches beyond the
    picture is scaled down by the smallest whole factor that makes it fit, and its spacing up by the same.
    """
    best = None
    for region in data.get("SequenceOfUltrasoundRegions") or []:
        if int(region.get("RegionDataType", 0)) != TISSUE:
            continue
        box = [int(region[f"RegionLocation{corner}"].value) for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1")]
        area = (box[2] - box[0]) * (box[3] - box[1])
        if best is None or area > best[0]:
            best = (area, box, region)
    if best is None:
        return None, None
    _, (x0, y0, x1, y1), region = best
    factor = max(1, -(-(x1 + 1) // columns), -(-(y1 + 1) // rows))
    located = (x0 // factor, y0 // factor, min(columns, x1 // factor + 1), min(rows, y1 // factor + 1))
    units = (region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection"))
    spacing = None
    if units == (CENTIMETRES, CENTIMETRES):
        spacing = (
            abs(float(region.PhysicalDeltaY)) * 10 * factor,
            abs(float(region.PhysicalDeltaX)) * 10 * factor,
        )
    return located, spacing
