"""Pictures as they are to be shown: turned and mirrored as the file says, with square pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type

from edge.dicom.regions import MAX_STRETCH
from edge.preprocess import Frame

SQUARE = 0.005


@dataclass(frozen=True)
class Turn:
    """One of the eight ways to lay a picture: rows and columns swapped first, then mirrored across and upside down."""

    swap: bool = False
    mirror: bool = False
    flip: bool = False

    def apply(self, image: Frame) -> Frame:
        """HxW or HxWx3, contiguous; the same array where nothing is to be done."""
        if self == UPRIGHT:
            return image
        laid = image.swapaxes(0, 1) if self.swap else image
        return np.ascontiguousarray(laid[:: -1 if self.flip else 1, :: -1 if self.mirror else 1])


UPRIGHT = Turn()
EXIF = {
    1: UPRIGHT,
    2: Turn(mirror=True),
    3: Turn(mirror=True, flip=True),
    4: Turn(flip=True),
    5: Turn(swap=True),
    6: Turn(swap=True, mirror=True),
    7: Turn(swap=True, mirror=True, flip=True),
    8: Turn(swap=True, flip=True),
}
"""Exif's and TIFF's Orientation."""


def turn_of(frame: av.VideoFrame) -> Turn:
    """What a frame's display matrix says (ISO/IEC 14496-12, 8.3.2), to the nearest quarter turn."""
    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return UPRIGHT
    a, b, _, c, d = struct.unpack("=9i", bytes(data)[:36])[:5]  # x' = a x + c y, y' = b x + d y
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(mirror=a < 0, flip=d < 0)
    return Turn(swap=True, mirror=c < 0, flip=b < 0)


def stretch_of(ratio: Fraction | float | None) -> float:
    """Width of a pixel over its height, 1 where it is unknown, square or impossible."""
    value = float(ratio or 1)
    return value if 1 / MAX_STRETCH <= value <= MAX_STRETCH and abs(value - 1) > SQUARE else 1.0


def square_pixels(image: Frame, stretch: float) -> Frame:
    """Resize an HxW or HxWx3 picture to square pixels; it only grows, so that no line is lost."""
    if stretch == 1:
        return image
    height, width = image.shape[:2]
    size = (round(width * stretch), height) if stretch > 1 else (width, round(height / stretch))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
