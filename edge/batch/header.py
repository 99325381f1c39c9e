"""What a DICOM file says beside its pictures: which study it is of. Nothing of it is shown or written."""

from __future__ import annotations

import hashlib
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import MissingExtraError, SourceError
from edge.sources.dicom import is_dicom
from edge.sources.natural import natural_order

DIRECTORY = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage (PS3.4, B.5): a DICOMDIR."""
TAGS = ["SOPClassUID", "Rows", "StudyInstanceUID", "PatientID"]


@dataclass(frozen=True)
class Header:
    """`study` is the same for files of one study of one patient and says nothing else, "" where a file names none;
    `problem` why there are no pictures in the file, "" where there are."""

    study: str = ""
    problem: str = ""


def look(path: Path) -> Header:
    """The header of a file; an empty one for what is not DICOM, or cannot be read: opening it says why."""
    try:
        if not path.is_file() or not is_dicom(path):
            return Header()
        import pydicom

        logging.getLogger("pydicom").setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
            study, patient = str(data.get("StudyInstanceUID") or ""), str(data.get("PatientID") or "")
            has_pictures = bool(data.get("Rows"))
    except Exception:  # pydicom raises whatever its parsers raise
        return Header()
    # Tools that blank identifiers may give every study the same one: then the patient still tells them apart.
    key = hashlib.sha256(f"{study}\0{patient}".encode()).hexdigest() if study else ""
    return Header(key, "" if has_pictures else "DICOM without pictures, such as a report")


def is_directory(path: Path) -> bool:
    """Whether a file is a DICOMDIR, whatever it is called."""
    try:
        if not path.is_file() or not is_dicom(path):
            return False
        from pydicom.filereader import read_file_meta_info

        return str(read_file_meta_info(path).get("MediaStorageSOPClassUID")) == DIRECTORY
    except Exception:
        return False


def listed(path: Path) -> list[Path]:
    """The files that a DICOMDIR lists (PS3.10, 8.6), in the order of their names; none outside its folder.

    Raises SourceError where it cannot be read, MissingExtraError without pydicom.
    """
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading a DICOMDIR", "dicom") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            records = pydicom.dcmread(path).DirectoryRecordSequence
            names = [_parts(record.ReferencedFileID) for record in records if "ReferencedFileID" in record]
    except Exception as error:  # pydicom raises whatever its parsers raise
        raise SourceError(f"it cannot be read as a DICOMDIR ({error})") from error
    if not names:
        raise SourceError("it lists no file")
    below = path.parent.resolve()
    files = [_on_disk(path.parent, parts) for parts in names]
    return sorted((f for f in files if f.resolve().is_relative_to(below)), key=lambda file: natural_order(str(file)))


def _parts(file_id: Any) -> list[str]:
    """A Referenced File ID as the names of folders and file."""
    return [file_id] if isinstance(file_id, str) else list(file_id)


def _on_disk(folder: Path, parts: list[str]) -> Path:
    """Where a listed file is: a disc that is mounted may show its capitals small."""
    file = folder.joinpath(*parts)
    small = folder.joinpath(*(part.lower() for part in parts))
    return small if small.exists() and not file.exists() else file
