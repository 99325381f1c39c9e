"""The last overlay as a PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.picture.palette import labelled
from edge.sinks.base import FileSink, Shown
from edge.sinks.files import PartFile


class StillSink(FileSink):
    """Keeps a copy of the newest picture and writes it at the end."""

    name = "still"

    def __init__(self, path: Path) -> None:
        super().__init__(PartFile(path))
        self._picture: NDArray[np.uint8] | None = None
        self._label = ""

    def write(self, shown: Shown) -> None:
        if self._picture is None:
            self._picture = np.empty_like(shown.picture)
        np.copyto(self._picture, shown.picture)
        self._label = shown.label
        self._written += 1

    def _finish(self) -> None:
        if self._picture is not None:
            self._file.part.write_bytes(still_png(self._picture, self._label))


def still_png(picture: NDArray[np.uint8], label: str) -> bytes:
    """A picture as PNG, with the operator's label on it; the picture itself stays as it is."""
    if label:
        picture = labelled(picture, label)
    _, packed = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return packed.tobytes()
