"""What is known of a frame that may calibrate: where it is from, and cheap statistics of its sector."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, SourceError
from edge.nets.drift import histogram_of
from edge.preprocess import PreprocessSpec, grey, preprocess
from edge.screen.sector import find_sector
from edge.sources import open_source

FRAMES_PER_RECORDING = 16


@dataclass(frozen=True)
class Candidate:
    """A frame to choose from: HxW grey uint8 and what is known of it; "" and None where it is not.

    `source` names it within its data set of kind `data`; spacing_mm is (row, column) of a pixel.
    """

    image: NDArray[np.uint8]
    data: str
    source: str
    patient: str
    view: str = ""
    phase: str = ""
    vendor: str = ""
    spacing_mm: tuple[float, float] | None = None


class Frame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A described frame. sha256 is over its grey pixels, so a set does not depend on a network's input size.

    gain is the mean grey level of the sector; contrast, a proxy of image quality, (p90 - p25) / (p90 + p25) of its grey
    levels (Michelson); depth_mm the sector's height, None where pixels have no size; histogram the share of sector
    pixels in each of `edge.nets.drift.BINS` grey bins.
    """

    data: str
    source: str
    patient: str
    view: str
    phase: str
    vendor: str
    sha256: str
    gain: float
    contrast: float
    depth_mm: float | None
    histogram: tuple[float, ...]


def digest_of(image: NDArray[np.uint8]) -> str:
    """sha256 of an image's shape and pixels."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def describe(candidate: Candidate) -> Frame:
    """Statistics of a candidate's sector. Raises SourceError where no sector is visible."""
    sector = find_sector([candidate.image])
    levels = candidate.image[sector.mask]
    low, high = np.percentile(levels, (25, 90))
    spacing = candidate.spacing_mm
    return Frame(
        data=candidate.data,
        source=candidate.source,
        patient=candidate.patient,
        view=candidate.view,
        phase=candidate.phase,
        vendor=candidate.vendor,
        sha256=digest_of(candidate.image),
        gain=round(float(levels.mean()), 2),
        contrast=round(float((high - low) / max(high + low, 1)), 4),
        depth_mm=round(sector.box.side * spacing[0], 1) if spacing else None,
        histogram=tuple(round(float(share), 5) for share in histogram_of(candidate.image, sector.mask)),
    )


def input_of(candidate: Candidate, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """The network input (1 x 1 x size x size uint8) of a candidate, through the runtime's own preprocess."""
    return preprocess(candidate.image, find_sector([candidate.image]).box, spec)


def read_recordings(folder: Path) -> Iterator[Candidate]:
    """Frames of the recordings in a folder: up to FRAMES_PER_RECORDING of each, spread over it.

    A recording in a sub-folder belongs to the patient of that name, one directly in `folder` to a patient of its own.
    Raises DataError where the folder holds no recording that can be read.
    """
    found = False
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        place = path.relative_to(folder)
        patient = place.parts[0] if len(place.parts) > 1 else place.stem
        try:
            with open_source(str(path)) as source:
                images = [grey(captured.image) for captured in source]
                spacing = source.stated.spacing_mm
        except SourceError:
            continue
        picked = np.unique(np.linspace(0, len(images) - 1, min(len(images), FRAMES_PER_RECORDING)).round().astype(int))
        for index in picked:
            found = True
            yield Candidate(images[index], "frames", f"{place}#{index}", patient, spacing_mm=spacing)
    if not found:
        raise DataError(
            f"{folder} holds no recording that can be read; give a folder of videos, DICOM files or pictures"
        )
