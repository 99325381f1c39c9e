"""Pictures that are in memory already, as a source of frames."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.preprocess import as_frame
from edge.sources import Captured
from edge.sources.picture_size import check_size
from edge.stated import Stated

log = logging.getLogger(__name__)

NOMINAL_FPS = 30.0
"""As of a folder of pictures, which says no rate either."""
MAX_FPS = 1000.0
SHAPES = "H x W or H x W x 1, 3 (RGB) or 4 (RGBA) for one picture, N x H x W or N x H x W x 1, 3 or 4 for a clip"


class ArraySource:
    """The pictures of one array as a recording, in order.

    `fps` is frames a second, NOMINAL_FPS where None; `spacing_mm` is mm per pixel, one number or (row, column). The
    array is not copied. Raises SourceError for another dtype or shape, and for a rate or spacing that is no such thing.
    """

    region: tuple[int, int, int, int] | None = None
    damaged = 0

    def __init__(
        self,
        pictures: NDArray[np.generic],
        fps: float | None = None,
        spacing_mm: float | tuple[float, float] | None = None,
    ) -> None:
        self._clip = clip_of(pictures)
        self.uri = f"array {'x'.join(map(str, pictures.shape))}"
        check_size(self._clip.shape[2], self._clip.shape[1], self.uri)
        if fps is not None and not 0 < fps <= MAX_FPS:
            raise SourceError(f"fps is {fps:g}; give frames a second, above 0 and up to {MAX_FPS:g}")
        if fps is None and len(self._clip) > 1:
            log.warning("an array says no frame rate; %g frames a second are assumed: give fps", NOMINAL_FPS)
        self.fps = NOMINAL_FPS if fps is None else float(fps)
        self.stated = Stated(_spacing(spacing_mm), "given") if spacing_mm is not None else Stated()
        self.frames: int | None = len(self._clip)

    def __iter__(self) -> Iterator[Captured]:
        for number, picture in enumerate(self._clip):
            image = np.ascontiguousarray(as_frame(picture))
            yield Captured(number, image, time.monotonic_ns(), number / self.fps)

    def __enter__(self) -> ArraySource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was opened."""


def clip_of(pictures: NDArray[np.generic]) -> NDArray[np.uint8]:
    """N x H x W or N x H x W x C, uint8, a view. A last axis of 1, 3 or 4 is colour: H x W x 3 is one picture.

    Raises SourceError for what is neither a picture nor a clip.
    """
    shape = "x".join(map(str, pictures.shape)) or "a single number"
    if pictures.dtype != np.uint8:
        raise SourceError(
            f"the array holds {pictures.dtype}{_not_finite(pictures)}; an echo's pictures are uint8, 0 black to 255 "
            "white: scale it to that range, then .astype('uint8')"
        )
    has_colour = pictures.ndim > 2 and pictures.shape[-1] in (1, 3, 4)
    clip = pictures[np.newaxis] if pictures.ndim - has_colour == 2 else pictures
    if clip.ndim - has_colour != 3 or 0 in clip.shape:
        raise SourceError(f"the array is {shape}; give {SHAPES}")
    return np.asarray(clip, np.uint8)


def _not_finite(pictures: NDArray[Any]) -> str:
    return " with NaN or infinity" if pictures.dtype.kind == "f" and not np.isfinite(pictures).all() else ""


def _spacing(spacing_mm: float | tuple[float, float]) -> tuple[float, float]:
    sides = np.asarray(spacing_mm, np.float64).ravel()
    if sides.size not in (1, 2) or not all(math.isfinite(side) and side > 0 for side in sides):
        raise SourceError(f"spacing_mm is {spacing_mm}; give mm per pixel as one number above 0, or as (row, column)")
    return float(sides[0]), float(sides[-1])
