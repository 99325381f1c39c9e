"""Decoded FFmpeg frames to RGB or grey arrays in buffers that are used again."""

from __future__ import annotations

import av
import cv2
import numpy as np

from edge.preprocess import Frame
from edge.sources.shown import square_pixels, turn_of
from edge.threads.pool import FramePool

COLOUR_SPACES = {0: "rgb", 1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
"""ITU-T H.273 matrix coefficients by number; 2 is "unspecified"."""
FULL_RANGE = 2
"""FFmpeg's AVCOL_RANGE_JPEG."""


class Converter:
    """Owns the buffers of one stream: `image` gives HxWx3 RGB uint8, HxW for a grey stream, as it is to be shown.

    `stretch` is the width of a pixel over its height.
    """

    def __init__(self, stretch: float = 1.0) -> None:
        self._stretch = stretch
        self._pool = FramePool()
        self._planes = np.empty((0, 0), np.uint8)

    def image(self, frame: av.VideoFrame) -> Frame:
        """Convert one frame; the array stays the caller's until it is let go."""
        return turn_of(frame).apply(square_pixels(self._converted(frame), self._stretch))

    def _converted(self, frame: av.VideoFrame) -> Frame:
        if _is_plain_yuv420(frame):
            return self._from_yuv420(frame)
        grey = frame.format.name.startswith("gray")
        plane = frame.reformat(format="gray" if grey else "rgb24").planes[0]
        samples = frame.width * (1 if grey else 3)
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, :samples]
        image = self._pool.take((frame.height, frame.width) if grey else (frame.height, frame.width, 3))
        np.copyto(image.reshape(frame.height, samples), rows)
        return image

    def _from_yuv420(self, frame: av.VideoFrame) -> Frame:
        """By OpenCV, straight into the pool: less than half the work of FFmpeg's converter with its own buffers and a
        copy.
        """
        height, width = frame.height, frame.width
        if self._planes.shape != (height * 3 // 2, width):
            self._planes = np.empty((height * 3 // 2, width), np.uint8)
        top = 0
        for plane, rows in zip(frame.planes, (height, height // 4, height // 4)):
            samples = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            part = self._planes[top : top + rows].reshape(plane.height, plane.width)
            np.copyto(part, samples[: plane.height, : plane.width])
            top += rows
        image = self._pool.take((height, width, 3))
        cv2.cvtColor(self._planes, cv2.COLOR_YUV2RGB_I420, dst=image)
        return image


def _is_plain_yuv420(frame: av.VideoFrame) -> bool:
    """What OpenCV's conversion knows: 8-bit 4:2:0, limited range, BT.601's matrix, which an untagged frame has, too."""
    return (
        frame.format.name == "yuv420p"
        and colour_space(frame) in ("bt601", "unspecified")
        and int(frame.color_range) != FULL_RANGE
        and frame.height % 4 == 0
        and frame.width % 2 == 0
    )


def colour_space(frame: av.VideoFrame) -> str:
    """The matrix that made the frame's YUV, as it states itself."""
    return COLOUR_SPACES.get(int(frame.colorspace), "unspecified")
