"""Every kind of input behind one `open_source(uri)`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.errors import SourceError
from edge.sources import csi, dicom, igtl, images, stream, synth, v4l2, video
from edge.sources.address import file_path, parse_address, redacted, scheme_of
from edge.sources.base import Captured, Live, Source
from edge.sources.paced import Paced, Repeated

__all__ = ["SCHEMES", "Captured", "Live", "Source", "open_source"]

FILE_OPTIONS = ("loop", "pace")


def open_file(uri: str) -> Source:
    """A video, a DICOM file, a picture or a folder of pictures, with `?loop` and `?pace=native`."""
    path, query = file_path(uri), ""
    if "?" in uri and not path.exists():
        place, _, query = uri.rpartition("?")
        path = file_path(place)
    source = _recording(path)
    if not query:
        return source
    address = parse_address(f"file://?{query}", FILE_OPTIONS)
    pace = address.options.get("pace", "fast")
    if pace not in ("fast", "native"):
        raise SourceError(f"pace={pace} is unknown; it is fast or native")
    if address.flag("loop"):
        source = Repeated(source)
    return Paced(source) if pace == "native" else source


def _recording(path: Path) -> Source:
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


SCHEMES: dict[str, Callable[[str], Source]] = {
    "": open_file,
    "file": open_file,
    "v4l2": v4l2.open_v4l2,
    "csi": csi.open_csi,
    "igtl": igtl.open_igtl,
    "synth": synth.SynthSource,
    "rtsp": stream.open_stream,
    "rtsps": stream.open_stream,
    "udp": stream.open_stream,
    "srt": stream.open_srt,
    "http": stream.open_stream,
    "https": stream.open_stream,
}
"""Scheme -> opener; a bare path has the scheme ""."""


def open_source(uri: str) -> Source:
    """Open an input by its address: a path, or one of the schemes above.

    A file's kind follows from its content for DICOM, from its suffix otherwise. Options stand in the query. Raises
    SourceError with what to do; no message repeats a password.
    """
    scheme = scheme_of(uri)
    if scheme not in SCHEMES:
        raise SourceError(
            f"{redacted(uri)} has an unknown scheme; use a path or one of {', '.join(n for n in SCHEMES if n)}"
        )
    return SCHEMES[scheme](uri)
