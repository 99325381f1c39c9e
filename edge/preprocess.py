"""Frame to network input. The one preprocess: training, evaluation, calibration and the runtime all call it.

Only crop and resize happen here; normalisation is folded into the exported graph, which takes uint8.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class PreprocessSpec:
    """How a frame becomes an input: square crop around the sector, grey, `size_px` x `size_px`, uint8 N1HW.

    `interpolation` "linear" averages 2 x 2 pixels while the picture is at least twice too large, then interpolates;
    "area" averages each output pixel's exact share, which takes seven times as long.
    """

    size_px: int
    crop: str = "sector"
    interpolation: str = "linear"
    layout: str = "nchw"


@dataclass(frozen=True)
class Box:
    """A square in frame pixels: top-left corner and side. It may reach beyond the frame; what lies outside is black."""

    x: float
    y: float
    side: float

    def to_frame(self, points: NDArray[np.floating], size_px: int) -> NDArray[np.float64]:
        """Map N x 2 (x, y) points from a size_px input to frame pixels; pixel centres at integers."""
        scale = self.side / size_px
        return (np.asarray(points, np.float64) + 0.5) * scale - 0.5 + (self.x, self.y)

    def to_input(self, points: NDArray[np.floating], size_px: int) -> NDArray[np.float64]:
        """Map N x 2 (x, y) frame points to a size_px input: the inverse of `to_frame`."""
        scale = size_px / self.side
        return (np.asarray(points, np.float64) - (self.x, self.y) + 0.5) * scale - 0.5


def as_frame(array: NDArray[np.generic]) -> Frame:
    """HxW or HxWx3 RGB as it is; HxWx1 without its last axis, HxWx4 RGBA without its alpha, uint8.

    ValueError for another shape or dtype: what the values of a float or 16-bit array mean cannot be guessed.
    """
    if array.dtype != np.uint8:
        raise ValueError(f"a frame must be uint8, not {array.dtype}; scale it to 0-255 first")
    frame = np.asarray(array, np.uint8)
    if 0 not in frame.shape and (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)):
        return frame
    if 0 not in frame.shape and frame.ndim == 3 and frame.shape[2] in (1, 4):
        return np.ascontiguousarray(frame[..., 0] if frame.shape[2] == 1 else frame[..., :3])
    raise ValueError(f"a frame must be HxW, HxWx3 (RGB), HxWx4 or HxWx1, not {'x'.join(map(str, frame.shape))}")


def grey(frame: Frame) -> Frame:
    """HxW as it is; HxWx3 RGB to HxW luma (BT.601), uint8. ValueError as `as_frame`."""
    frame = as_frame(frame)
    return frame if frame.ndim == 2 else np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)


def square_around(x0: int, y0: int, x1: int, y1: int) -> Box:
    """The square that holds the rectangle [x0, x1) x [y0, y1): centred across, flush with its top.

    The transducer is at the top, so depth starts at the same input row for every sector shape.
    """
    side = max(x1 - x0, y1 - y0)
    return Box((x0 + x1 - side) / 2, float(y0), float(side))


def resample(image: NDArray[np.uint8], box: Box, size_px: int, interpolation: int, out: Frame | None = None) -> Frame:
    """Crop `box` out of an HxW image and resize it to size_px x size_px uint8, black outside the image.

    Box edges are rounded to whole pixels. Writes into `out` (size_px x size_px) when given.
    """
    if out is None:
        out = np.empty((size_px, size_px), np.uint8)
    height, width = image.shape
    left, top, side = round(box.x), round(box.y), max(1, round(box.side))
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x0 >= x1 or y0 >= y1:
        out[:] = 0
        return out
    if (x0, y0, x1, y1) == (left, top, left + side, top + side):
        _resized(image[y0:y1, x0:x1], size_px, size_px, interpolation, out)
        return out
    scale = size_px / side
    u0, v0 = round((x0 - left) * scale), round((y0 - top) * scale)
    u1, v1 = max(u0 + 1, round((x1 - left) * scale)), max(v0 + 1, round((y1 - top) * scale))
    out[:v0] = 0
    out[v1:] = 0
    out[v0:v1, :u0] = 0
    out[v0:v1, u1:] = 0
    out[v0:v1, u0:u1] = _resized(image[y0:y1, x0:x1], u1 - u0, v1 - v0, interpolation)
    return out


def _resized(image: NDArray[np.uint8], width: int, height: int, interpolation: int, out: Frame | None = None) -> Frame:
    """HxW to height x width; "linear" halves first while that leaves enough, so that no pixel is passed over."""
    while interpolation == cv2.INTER_LINEAR and min(image.shape[0] / height, image.shape[1] / width) >= 2:
        rows, columns = image.shape[0] // 2, image.shape[1] // 2
        # OpenCV halves even sizes thirteen times as fast as others; an odd last row is left out.
        image = np.asarray(
            cv2.resize(image[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.asarray(cv2.resize(image, (width, height), dst=out, interpolation=interpolation), np.uint8)


INTERPOLATIONS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}


def grey_crop(frame: Frame, box: Box) -> tuple[Frame, Box]:
    """The part of an HxWx3 RGB frame that a box covers, in grey, and the box in its coordinates; an HxW frame as it is.

    Networks with the same box share it: `preprocess` of the result equals `preprocess` of the frame.
    """
    if frame.ndim == 2:
        return grey(frame), box
    y0, x0 = max(0, round(box.y)), max(0, round(box.x))
    y1 = max(y0, round(box.y) + round(box.side))
    x1 = max(x0, round(box.x) + round(box.side))
    return grey(frame[y0:y1, x0:x1]), Box(round(box.x) - x0, round(box.y) - y0, box.side)


def preprocess(frame: Frame, box: Box, spec: PreprocessSpec, out: Frame | None = None) -> Frame:
    """Frame (HxW or HxWx3 RGB uint8) to the network's input 1 x 1 x size x size uint8; `out` is filled when given."""
    if out is None:
        out = np.empty((1, 1, spec.size_px, spec.size_px), np.uint8)
    image, box = grey_crop(frame, box)
    resample(image, box, spec.size_px, INTERPOLATIONS[spec.interpolation], out[0, 0])
    return out
