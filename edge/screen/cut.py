"""Only the sector leaves: everything of a scanner's screen outside it is left behind before anything is made of it."""

from __future__ import annotations

import cv2
import numpy as np

from edge.preprocess import Frame
from edge.screen.sector import Sector
from edge.threads.pool import FramePool


class Cutter:
    """Copies the sector out of one screen after the other; what stands around it is never copied.

    A copy has the screen's size, so that places on it stay what they are, and is black outside the sector.
    """

    def __init__(self, sector: Sector) -> None:
        self.extent = x0, y0, x1, y1 = sector.extent
        self._shape = sector.mask.shape
        self._place = np.s_[y0:y1, x0:x1]
        self._inside = np.ascontiguousarray(sector.mask[self._place], np.uint8)
        self._pool = FramePool()

    def __call__(self, screen: Frame) -> Frame:
        """The sector's pixels of a screen (HxW or HxWx3 uint8); all black where it is not of the sector's size."""
        if screen.shape[:2] != self._shape:
            return np.zeros_like(screen)
        out = self._pool.take(screen.shape)  # black where nothing is copied to, when new and ever after
        cv2.copyTo(screen[self._place], self._inside, out[self._place])
        return out
