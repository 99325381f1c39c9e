"""A picture, or a folder of pictures in the order of their names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from edge.errors import SourceError
from edge.sources.base import Captured
from edge.sources.natural import natural_order

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".webp"}
FPS = 30.0


class ImageSource:
    """Pictures as frames at a nominal 30 fps; numbers in names count as numbers. All must have one size."""

    spacing_mm: tuple[float, float] | None = None
    region: tuple[int, int, int, int] | None = None
    fps = FPS

    def __init__(self, path: Path) -> None:
        self.uri = str(path)
        if path.is_dir():
            files = [f for f in path.iterdir() if f.suffix.lower() in SUFFIXES]
            self._files = sorted(files, key=lambda file: natural_order(file.name))
        else:
            self._files = [path]
        if not self._files:
            raise SourceError(f"{path} holds no pictures ({', '.join(sorted(SUFFIXES))})")
        self.frames: int | None = len(self._files)

    def __iter__(self) -> Iterator[Captured]:
        shape = None
        for number, file in enumerate(self._files):
            captured_ns = time.monotonic_ns()
            image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            if image is None:
                raise SourceError(f"{file} is no picture that OpenCV can read")
            if image.dtype != np.uint8:
                raise SourceError(f"{file} has {image.dtype} pixels; convert it to 8 bits first")
            if image.ndim == 3:
                to_rgb = cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
                image = cv2.cvtColor(image, to_rgb)
            if shape is not None and image.shape[:2] != shape:
                raise SourceError(
                    f"{file} is {image.shape[1]}x{image.shape[0]} but the first picture {shape[1]}x{shape[0]}; "
                    "put pictures of one recording, all of one size, in a folder"
                )
            shape = image.shape[:2]
            yield Captured(number, np.asarray(image, np.uint8), captured_ns, number / FPS)

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files = []
