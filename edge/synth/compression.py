"""Compression as recordings carry it: JPEG frame by frame, H.264 over a loop."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import EchoEdgeError

Picture = NDArray[np.uint8]


def jpeg(picture: Picture, quality: int) -> Picture:
    """HxW grey or HxWx3 RGB uint8 after JPEG of a quality 1-100."""
    colour = picture.ndim == 3
    _, data = cv2.imencode(".jpg", picture[:, :, ::-1] if colour else picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.ascontiguousarray(decoded[:, :, ::-1] if colour else decoded, np.uint8)


def h264(pictures: Sequence[Picture], fps: float, crf: int) -> list[Picture]:
    """Pictures (one size, even sides) after H.264 with the constant rate factor `crf` (0-51); grey ones come back grey.

    Raises EchoEdgeError where FFmpeg has no H.264 encoder or a side is odd.
    """
    height, width = pictures[0].shape[:2]
    if height % 2 or width % 2:
        raise EchoEdgeError(f"H.264 needs even sides; the pictures are {width}x{height}")
    if "libx264" not in av.codecs_available:
        raise EchoEdgeError("this build of FFmpeg cannot encode H.264; reinstall the 'av' package")
    memory, colour = io.BytesIO(), pictures[0].ndim == 3
    source = "rgb24" if colour else "gray"
    with av.open(memory, "w", format="matroska") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=source)))
        container.mux(stream.encode(None))
    memory.seek(0)
    with av.open(memory) as container:
        return [np.asarray(frame.to_ndarray(format=source), np.uint8) for frame in container.decode(video=0)]
