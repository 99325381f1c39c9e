"""DICOM ultrasound: single and multi-frame, grey, RGB, YBR and palette colour, compressed or not, or a video."""

from __future__ import annotations

import io
import logging
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from edge.dicom import codestream
from edge.dicom.numbers import number
from edge.dicom.regions import geometry_of
from edge.dicom.times import frame_times
from edge.errors import EchoEdgeError, MissingExtraError, SourceError
from edge.sources.base import Captured
from edge.sources.decoded import Decoder
from edge.sources.picture_size import check_size
from edge.sources.shown import square_pixels, stretch_of
from edge.sources.video import decoded_frames, opened_video

log = logging.getLogger(__name__)

SUFFIXES = {".dcm", ".dicom"}
DEFAULT_FPS = 30.0
PALETTE = "PALETTE COLOR"


def is_dicom(path: Path) -> bool:
    """Whether a file has the DICOM prefix after its 128-byte preamble (PS3.10, 7.1)."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


class DicomSource:
    """The frames of one DICOM file, one decoded at a time, with square pixels; scale and echo area from its ultrasound
    regions.

    A frame that does not decode is left out and counted in `damaged`; the others keep their numbers and times.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pydicom
            from pydicom import encaps, pixels
        except ModuleNotFoundError as error:
            raise MissingExtraError("reading DICOM", "dicom") from error
        # It logs a traceback for every damaged frame; what is wrong is said here, in one line.
        logging.getLogger("pydicom").setLevel(logging.CRITICAL)
        self.uri, self._pixels, self._encaps = str(path), pixels, encaps
        self._damaged = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of odd values in elements that are not asked for
                self._data = data = pydicom.dcmread(path)
                self._check(data, path)
                rows, columns = self._size(data)
                geometry, times = geometry_of(data, rows, columns), frame_times(data, self._count)
        except EchoEdgeError:
            raise
        except Exception as error:  # pydicom raises whatever its parsers raise
            raise SourceError(
                f"{path} is no DICOM image, or a truncated one ({str(error).partition('. Use ')[0]}); "
                "send it from the scanner again"
            ) from error
        if geometry.left_out:
            others = " and ".join(geometry.left_out)
            is_beside = geometry.region is not None
            said = (
                "stands beside the 2D picture that is measured, and is left out" if is_beside else "and no 2D picture"
            )
            log.warning("%s by its regions: %s %s", path, others, said)
        if times is None and self._count > 1:
            log.warning("%s says no frame rate; %g frames a second are assumed", path, DEFAULT_FPS)
        self.fps, self._times = times or (DEFAULT_FPS, [n / DEFAULT_FPS for n in range(self._count)])
        self._said_times = times is not None
        self._stretch = stretch_of(geometry.stretch)
        self.region, self.stated = _stretched(geometry.region, self._stretch), geometry.stated

    def _check(self, data: Any, path: Path) -> None:
        """Refuse what cannot be read, before anything is decoded; sets `frames` and how they are stored."""
        if "Rows" not in data or "Columns" not in data or "PixelData" not in data:
            raise SourceError(f"{path} holds no pixel data; is it a report, a DICOMDIR or a truncated file?")
        rows, columns = int(data.Rows), int(data.Columns)
        if rows < 1 or columns < 1:
            raise SourceError(f"{path} says that its pictures are {columns}x{rows}; send it from the scanner again")
        check_size(columns, rows, str(path))
        self._photometric = str(data.get("PhotometricInterpretation") or "")
        self._syntax = data.file_meta.get("TransferSyntaxUID")
        if not self._syntax or not self._syntax.is_transfer_syntax:
            raise SourceError(
                f"{path} says no known transfer syntax ({self._syntax}); export it uncompressed or as JPEG"
            )
        self._is_video = str(self._syntax) in codestream.VIDEO_SYNTAXES
        allocated, stored = int(data.BitsAllocated), int(number(data, "BitsStored") or data.BitsAllocated)
        if allocated not in (8, 16) or (stored > 8 and self._photometric != PALETTE):
            raise SourceError(
                f"{path} stores {stored}-bit pixels; echo frames have 8 bits: export the clip as 8-bit ultrasound"
            )
        samples = int(number(data, "SamplesPerPixel") or 1)
        if samples not in (1, 3):
            raise SourceError(f"{path} has {samples} samples a pixel; echo frames are grey (1) or colour (3)")
        self._raw = bytes(data.PixelData)
        self._frame_bytes = 0 if self._syntax.is_compressed else _stored_bytes(data, samples, allocated)
        self._count = self._declared(data)
        self.frames: int | None = self._count
        self._whole = self._count
        if self._frame_bytes:
            self._whole = min(self._count, len(self._raw) // self._frame_bytes)
            if self._whole < self._count:  # what is there is shown; pydicom reads nothing of a short element
                data.PixelData = self._raw.ljust(self._count * self._frame_bytes, b"\0")
        self._is_jpeg = codestream.SYNTAXES.get(str(self._syntax)) == codestream.JPEG
        self._by_ffmpeg = self._syntax.is_encapsulated and not self._is_video and self._needs_ffmpeg()

    def _size(self, data: Any) -> tuple[int, int]:
        """(rows, columns) of the pictures: of a video its own, whatever the data set says beside it."""
        if not self._is_video:
            return int(data.Rows), int(data.Columns)
        container, *_ = self._opened()
        with container:
            stream = container.streams.video[0]
            return stream.height, stream.width

    def _opened(self) -> tuple[InputContainer, float, int | None]:
        stream = b"".join(list(self._encaps.generate_fragments(self._raw))[1:])  # the first holds offsets
        return opened_video(io.BytesIO(stream), f"{self.uri} ({self._syntax.name})")

    def _declared(self, data: Any) -> int:
        """Number of Frames; where it is missing or no number, what the pixel data holds."""
        declared = number(data, "NumberOfFrames")
        if declared is not None and declared >= 1:
            return int(declared)
        if self._frame_bytes:
            return max(1, len(self._raw) // self._frame_bytes)
        if self._is_video or not self._syntax.is_encapsulated:
            return 1
        fragments = list(self._encaps.generate_fragments(self._raw))[1:]  # the first holds offsets
        starts = [f for f in fragments if codestream.kind_of(f)]
        count = max(1, len(starts))
        data.NumberOfFrames = count
        return count

    def _needs_ffmpeg(self) -> bool:
        """Whether pydicom has no decoder for what the frames hold."""
        promised = codestream.SYNTAXES.get(str(self._syntax))
        first = next((kind for n in range(self._count) if (kind := codestream.kind_of(self._compressed(n)))), "")
        if promised and first and promised != first:
            log.warning("%s: its transfer syntax says %s, its frames hold %s", self.uri, promised, first)
            return True
        try:
            return not self._pixels.get_decoder(self._syntax).is_available
        except NotImplementedError:
            return True

    def _compressed(self, index: int) -> bytes:
        """One frame's codestream, b"" where it is missing."""
        try:
            return bytes(self._encaps.get_frame(self._raw, index, number_of_frames=self._count))
        except (ValueError, IndexError, EOFError):
            return b""

    @property
    def damaged(self) -> int:
        return self._damaged

    def __iter__(self) -> Iterator[Captured]:
        self._damaged = 0
        yield from self._video() if self._is_video else self._pictures()
        if self._damaged:
            log.warning("%s: %d of %d frames are damaged or missing", self.uri, self._damaged, self._count)

    def _pictures(self) -> Iterator[Captured]:
        first_error: SourceError | None = None
        for index in range(self._count):
            captured_ns = time.monotonic_ns()
            try:
                image = square_pixels(self._decode(index), self._stretch)
            except SourceError as error:
                first_error = first_error or error
                self._damaged += 1
                continue
            yield Captured(index, image, captured_ns, self._times[index])
        if first_error is not None:
            if self._damaged == self._count:
                raise first_error
            log.warning("%s", first_error)

    def _video(self) -> Iterator[Captured]:
        """The video that stands in place of frames, with the file's own times where it says some."""
        container, *_ = self._opened()
        with container:
            decoder = Decoder(container, self.uri)
            try:
                for frame in decoded_frames(decoder, self._count, self.fps):
                    known = self._said_times and frame.number < len(self._times)
                    yield replace(frame, time_s=self._times[frame.number]) if known else frame
            finally:
                self._damaged = decoder.damaged

    def _decode(self, index: int) -> NDArray[np.uint8]:
        if index >= self._whole:
            raise self._broken(index, "the file ends before it")
        try:
            if self._by_ffmpeg:
                image = self._by_codestream(index)
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    image = self._pixels.pixel_array(self._data, index=index)
                if self._is_jpeg and not codestream.is_whole(self._compressed(index)):
                    raise ValueError("a part of its JPEG is missing or damaged")
        except EchoEdgeError:
            raise
        except Exception as error:  # pydicom and its decoders raise many kinds for damaged pixel data
            lines = str(error).strip().splitlines() or [type(error).__name__]  # the last is the decoder's own
            raise self._broken(index, lines[-1].strip()) from error
        if self._photometric == PALETTE:
            image = self._pixels.apply_color_lut(image, self._data)
            image = (image >> 8 if image.dtype == np.uint16 else image).astype(np.uint8)
        elif image.dtype != np.uint8:  # 8 bits stored in 16
            image = image.astype(np.uint8)
        if self._photometric == "MONOCHROME1":
            image = 255 - image
        return np.ascontiguousarray(image)

    def _by_codestream(self, index: int) -> NDArray[np.uint8]:
        compressed = self._compressed(index)
        if str(self._syntax) not in codestream.SYNTAXES and not codestream.kind_of(compressed):
            raise SourceError(
                f"{self.uri} is compressed as {self._syntax.name}, which cannot be read here; "
                "export it uncompressed or as JPEG"
            )
        try:
            image = codestream.decode(compressed)
        except av.PatchWelcomeError as error:
            raise MissingExtraError(f"decoding {self._syntax.name}", "dicom") from error
        if image.ndim == 3 and self._photometric.startswith("YBR_FULL"):
            image = self._pixels.convert_color_space(image, "YBR_FULL", "RGB")
        return image

    def _broken(self, index: int, reason: str) -> SourceError:
        return SourceError(
            f"{self.uri}: frame {index + 1} of {self._count} ({self._syntax.name}) does not decode ({reason}); "
            "the file is damaged or truncated"
        )

    def __enter__(self) -> DicomSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._data


def _stored_bytes(data: Any, samples: int, allocated: int) -> int:
    """Bytes of one uncompressed frame; YBR_FULL_422 shares its chroma between two pixels."""
    count = int(data.Rows) * int(data.Columns) * samples * allocated // 8
    return count * 2 // 3 if data.get("PhotometricInterpretation") == "YBR_FULL_422" else count


def _stretched(region: tuple[int, int, int, int] | None, stretch: float) -> tuple[int, int, int, int] | None:
    """A region in pixels of the picture as it is shown."""
    if region is None or stretch == 1:
        return region
    across, down = (stretch, 1.0) if stretch > 1 else (1.0, 1 / stretch)
    x0, y0, x1, y1 = region
    return round(x0 * across), round(y0 * down), round(x1 * across), round(y1 * down)
