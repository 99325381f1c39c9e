"""Pictures compressed by JPEG's family inside DICOM, decoded by FFmpeg where pydicom's own decoders are not there.

FFmpeg comes with PyAV on every platform. It reads lossless JPEG, for which the other decoders under a licence that we
may ship do not exist, and it reads what the file holds, not what its transfer syntax says that it should.
"""

from __future__ import annotations

import av
import cv2
import numpy as np
from numpy.typing import NDArray

JPEG, LOSSLESS, LS, JPEG2000 = "JPEG", "lossless JPEG", "JPEG-LS", "JPEG 2000"
CODECS = {JPEG: "mjpeg", LOSSLESS: "mjpeg", LS: "jpegls", JPEG2000: "jpeg2000"}
SYNTAXES = {
    "1.2.840.10008.1.2.4.50": JPEG,
    "1.2.840.10008.1.2.4.51": JPEG,
    "1.2.840.10008.1.2.4.57": LOSSLESS,
    "1.2.840.10008.1.2.4.70": LOSSLESS,
    "1.2.840.10008.1.2.4.80": LS,
    "1.2.840.10008.1.2.4.81": LS,
    "1.2.840.10008.1.2.4.90": JPEG2000,
    "1.2.840.10008.1.2.4.91": JPEG2000,
    "1.2.840.10008.1.2.4.201": JPEG2000,
    "1.2.840.10008.1.2.4.202": JPEG2000,
    "1.2.840.10008.1.2.4.203": JPEG2000,
}
"""Transfer syntax (PS3.6, table A-1) -> what its frames hold."""
VIDEO_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (*range(100, 109), *(f"{n}.1" for n in range(100, 107))))
"""MPEG-2, H.264 and H.265: one video in place of frames (PS3.5, 8.2.5 to 8.2.8)."""


def kind_of(codestream: bytes) -> str:
    """What a compressed frame is by its own markers, "" for none of these."""
    if codestream.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):
        return JPEG2000
    if not codestream.startswith(b"\xff\xd8"):
        return ""
    at = 2
    while at + 4 <= len(codestream) and codestream[at] == 0xFF:
        marker = codestream[at + 1]
        if marker == 0xF7:
            return LS
        if marker in (0xC3, 0xC7, 0xCB, 0xCF):
            return LOSSLESS
        if 0xC0 <= marker <= 0xCE and marker not in (0xC4, 0xC8, 0xCC):
            return JPEG
        at += 1 if marker == 0xFF else 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
    return JPEG


def decode(codestream: bytes) -> NDArray[np.uint8]:
    """The samples of one compressed frame as they are stored, HxW or HxWx3 uint8: no colour is converted.

    Raises av.FFmpegError for a damaged one, ValueError for more than 8 bits or none of the known kinds.
    """
    kind = kind_of(codestream)
    if not kind:
        raise ValueError("the frame holds no JPEG, JPEG-LS or JPEG 2000 picture")
    decoder = av.CodecContext.create(CODECS[kind], "r")
    decoder.thread_count, decoder.options = 1, {"err_detect": "explode"}
    frames = [*decoder.decode(av.Packet(codestream)), *decoder.decode(None)]
    if not frames or not isinstance(frames[0], av.VideoFrame):
        raise ValueError("the frame holds no picture")
    return _samples(frames[0])


def is_whole(codestream: bytes) -> bool:
    """Whether FFmpeg finds no damage in a JPEG; libjpeg fills what is missing with grey and says nothing."""
    try:
        decode(codestream)
    except av.InvalidDataError:
        return False
    except (av.FFmpegError, ValueError):  # not read by FFmpeg, which says nothing about damage
        return True
    return True


def _samples(frame: av.VideoFrame) -> NDArray[np.uint8]:
    name, planes = frame.format.name, [_plane(frame, index) for index in range(len(frame.planes))]
    if name == "gray":
        return planes[0]
    if name in ("rgb24", "bgr24"):
        picture = planes[0].reshape(frame.height, frame.width, 3)
        return np.ascontiguousarray(picture[..., ::-1] if name == "bgr24" else picture)
    if name == "gbrp":
        return np.dstack([planes[2], planes[0], planes[1]])
    if name.startswith("yuv") and name.endswith("p"):
        size = (frame.width, frame.height)
        chroma = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in planes[1:3]]
        return np.dstack([planes[0], *(np.asarray(plane, np.uint8) for plane in chroma)])
    raise ValueError(f"the frame holds {name} pixels; 8-bit grey or colour is read")


def _plane(frame: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)
    width = plane.width * (3 if frame.format.name in ("rgb24", "bgr24") else 1)
    return np.ascontiguousarray(rows[:, :width])
