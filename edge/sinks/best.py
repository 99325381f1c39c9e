"""The best ED and ES frame of a run as one PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.heart.best import Best, Rated
from edge.picture.annotate import annotate
from edge.picture.layout import fitted
from edge.picture.palette import AMBER, DIM, NOTICE, TEXT, Canvas, text, width_of
from edge.sinks.base import FileSink, Shown
from edge.sinks.files import PartFile
from edge.sinks.still import still_png

PANEL_W, PANEL_H = 640, 520
CAPTION_H = 60


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
        frames = [frame for frame in (self._best.ed, self._best.es) if frame] if self._best else []
        if not frames:
            return
        picture = np.hstack([best_panel(frame) for frame in frames])
        width = width_of(NOTICE)
        text(picture, NOTICE, (picture.shape[1] - width - 12, PANEL_H + CAPTION_H - 14), AMBER)
        self._file.part.write_bytes(still_png(picture, self._label))
        self._written += 1


def best_panel(frame: Rated) -> Canvas:
    """One frame with its regions and contour above its caption, RGB of PANEL_W x (PANEL_H + CAPTION_H)."""
    image = np.asarray(frame.analysis.frame.image, np.uint8)
    x0, y0, x1, y1 = frame.analysis.extent or (0, 0, image.shape[1], image.shape[0])
    scale = min(PANEL_W / (x1 - x0), PANEL_H / (y1 - y0))
    size = (round((x1 - x0) * scale), round((y1 - y0) * scale))
    shown = fitted(image[y0:y1, x0:x1], size)
    annotate(shown, frame.analysis, scale, (x0, y0))
    panel = np.zeros((PANEL_H + CAPTION_H, PANEL_W, 3), np.uint8)
    x, y = (PANEL_W - size[0]) // 2, (PANEL_H - size[1]) // 2
    panel[y : y + size[1], x : x + size[0]] = shown
    captured = frame.analysis.frame
    end = text(panel, f"Best {frame.kind}", (12, PANEL_H + 24), TEXT, 0.6)
    text(panel, f"frame {captured.number}, {captured.time_s:.2f} s", (end + 14, PANEL_H + 24), TEXT)
    text(panel, f"quality: mean {frame.mean:.1f}, lowest {frame.lowest:.1f}", (12, PANEL_H + CAPTION_H - 14), DIM)
    return panel
