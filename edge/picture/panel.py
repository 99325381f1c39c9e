"""One analysed frame alone, above a caption: for stills and notebooks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.best import Best
from edge.picture.annotate import annotate
from edge.picture.layout import fitted
from edge.picture.palette import AMBER, DIM, NOTICE, TEXT, Canvas, text, width_of

PANEL_W, PANEL_H = 640, 520
CAPTION_H = 60


def frame_panel(analysis: Analysis, title: str, words: str) -> Canvas:
    """The sector with regions and contour above a title, number and time, and words: RGB uint8 of
    PANEL_W x (PANEL_H + CAPTION_H).
    """
    image = np.asarray(analysis.frame.image, np.uint8)
    x0, y0, x1, y1 = analysis.extent or (0, 0, image.shape[1], image.shape[0])
    scale = min(PANEL_W / (x1 - x0), PANEL_H / (y1 - y0))
    size = (round((x1 - x0) * scale), round((y1 - y0) * scale))
    shown = fitted(image[y0:y1, x0:x1], size)
    annotate(shown, analysis, scale, (x0, y0))
    panel = np.zeros((PANEL_H + CAPTION_H, PANEL_W, 3), np.uint8)
    x, y = (PANEL_W - size[0]) // 2, (PANEL_H - size[1]) // 2
    panel[y : y + size[1], x : x + size[0]] = shown
    end = text(panel, title, (12, PANEL_H + 24), TEXT, 0.6)
    text(panel, f"frame {analysis.frame.number}, {analysis.frame.time_s:.2f} s", (end + 14, PANEL_H + 24), TEXT)
    text(panel, words, (12, PANEL_H + CAPTION_H - 14), DIM)
    return panel


def best_picture(best: Best | None) -> Canvas | None:
    """The best ED and ES frames side by side, one of them alone where there is no other; None without any."""
    frames = [frame for frame in (best.ed, best.es) if frame] if best else []
    panels = [
        frame_panel(frame.analysis, f"Best {frame.kind}", f"quality: mean {frame.mean:.1f}, lowest {frame.lowest:.1f}")
        for frame in frames
    ]
    return noted(panels) if panels else None


def noted(panels: Sequence[Canvas]) -> Canvas:
    """Panels side by side, with the notice in the corner."""
    picture = np.hstack(panels)
    text(picture, NOTICE, (picture.shape[1] - width_of(NOTICE) - 12, picture.shape[0] - 14), AMBER)
    return picture
