"""Every kind of input behind one `open_source(uri)`."""

from __future__ import annotations

from pathlib import Path

from edge.errors import SourceError
from edge.sources import dicom, images, synth, video
from edge.sources.base import Captured, Source

__all__ = ["Captured", "Source", "open_source"]


def open_source(uri: str) -> Source:
    """Open a video file, a picture, a folder of pictures or a DICOM file, by path or `file://` path, or a `synth://` loop.

    The kind of a file follows from the content for DICOM, from the suffix otherwise. Raises SourceError with what to do.
    """
    if uri.startswith(synth.SCHEME):
        return synth.SynthSource(uri)
    path = Path(uri.removeprefix("file://"))
    if path.is_dir():
        return images.ImageSource(path)
    if not path.exists():
        raise SourceError(f"{path} does not exist; give a video, a DICOM file, a picture or a folder of pictures")
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes); record or copy it again")
    suffix = path.suffix.lower()
    if dicom.is_dicom(path) or suffix in dicom.SUFFIXES:
        return dicom.DicomSource(path)
    if suffix in images.SUFFIXES:
        return images.ImageSource(path)
    return video.VideoSource(path)
