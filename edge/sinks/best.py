"""The best ED and ES frame of a run as one PNG."""

from __future__ import annotations

from pathlib import Path

from edge.heart.best import Best
from edge.picture.panel import best_picture
from edge.sinks.base import FileSink, Shown
from edge.sinks.files import PartFile
from edge.sinks.still import still_png


class BestSink(FileSink):
    """Keeps the newest choice and draws it at the end; no file where no ED or ES was found."""

    name = "best frames"

    def __init__(self, path: Path) -> None:
        super().__init__(PartFile(path))
        self._best: Best | None = None
        self._label = ""

    def write(self, shown: Shown) -> None:
        self._best, self._label = shown.best or self._best, shown.label

    def _finish(self) -> None:
        picture = best_picture(self._best)
        if picture is None:
            return
        self._file.part.write_bytes(still_png(picture, self._label))
        self._written += 1
