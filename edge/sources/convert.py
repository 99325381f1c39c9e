"""Decoded FFmpeg frames to RGB or grey arrays in buffers that are used again."""

from __future__ import annotations

import av
import numpy as np

from edge.pool import FramePool
from edge.preprocess import Frame

COLOUR_SPACES = {0: "rgb", 1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
"""ITU-T H.273 matrix coefficients by number; 2 is "unspecified"."""


class Converter:
    """Owns the buffers of one stream: `image` gives HxWx3 RGB uint8, HxW for a grey stream."""

    def __init__(self) -> None:
        self._pool = FramePool()

    def image(self, frame: av.VideoFrame) -> Frame:
        """Convert one frame; the array stays the caller's until it is let go."""
        grey = frame.format.name.startswith("gray")
        plane = frame.reformat(format="gray" if grey else "rgb24").planes[0]
        samples = frame.width * (1 if grey else 3)
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, :samples]
        image = self._pool.take((frame.height, frame.width) if grey else (frame.height, frame.width, 3))
        np.copyto(image.reshape(frame.height, samples), rows)
        return image


def colour_space(frame: av.VideoFrame) -> str:
    """The matrix that made the frame's YUV, as it states itself."""
    return COLOUR_SPACES.get(int(frame.colorspace), "unspecified")
