"""Where things stand on the picture, 1280x720: two panels, legend and hint, curve and figures, between two lines."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.picture.palette import Canvas

Rectangle = tuple[int, int, int, int]
"""x0, y0, x1, y1; the end exclusive."""

WIDTH, HEIGHT = 1280, 720
HEAD, PANEL_H, LEGEND_H, STRIP_H, FOOT = 30, 500, 26, 140, 24
LEGEND_Y = HEAD + PANEL_H
STRIP_Y = LEGEND_Y + LEGEND_H
FOOT_Y = STRIP_Y + STRIP_H
MAIN_W = 740
"""What the analysed picture may take of the width at most: the untouched one beside it keeps the middle of a fan."""
LEGEND_W = 510
FIGURES_W = 672


@dataclass(frozen=True)
class Zoom:
    """A rectangle of the frame, enlarged by `scale`. The picture shows all of it at `main`, its middle at `side`.

    Both at the same scale and on the same rows, so that eyes and rulers can go from one to the other.
    """

    extent: Rectangle
    scale: float
    main: Rectangle
    side: Rectangle

    @property
    def side_from(self) -> int:
        """First column of `main` that `side` shows."""
        return ((self.main[2] - self.main[0]) - (self.side[2] - self.side[0])) // 2

    def show(self, frame: Canvas, canvas: Canvas, untouched_only: bool = False) -> None:
        """Put the rectangle of a frame (HxW or HxWx3 uint8) on the canvas, as `main` and as `side`, or there alone."""
        x0, y0, x1, y1 = self.extent
        left, top, right, bottom = self.main
        shown, side = fitted(frame[y0:y1, x0:x1], (right - left, bottom - top)), part(canvas, self.side)
        side[:] = shown[:, self.side_from : self.side_from + side.shape[1]]
        if not untouched_only:
            part(canvas, self.main)[:] = shown


def zoom_on(extent: Rectangle) -> Zoom:
    """As large as the panels allow for a part (x0, y0, x1, y1) of the frame."""
    width, height = max(1, extent[2] - extent[0]), max(1, extent[3] - extent[1])
    scale = min(PANEL_H / height, MAIN_W / width)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    place = max(wide, WIDTH // 2)
    beside = min(wide, WIDTH - place)
    left, top = (place - wide) // 2, HEAD + (PANEL_H - high) // 2
    right = place + (WIDTH - place - beside) // 2
    return Zoom(extent, scale, (left, top, left + wide, top + high), (right, top, right + beside, top + high))


def part(canvas: Canvas, at: Rectangle) -> Canvas:
    """A view of the canvas."""
    return canvas[at[1] : at[3], at[0] : at[2]]


def fitted(image: Canvas, size: tuple[int, int]) -> Canvas:
    """A picture (HxW or HxWx3 uint8) as RGB of size (width, height)."""
    image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    return image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
