"""The sector over time: found once, kept while the screen stays as it is, found again when its layout or depth changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.preprocess import Frame
from edge.sector import Sector, SectorFinder

LOCATE_FRAMES = 32
"""Frames that the sector is looked for on: about a second, so that a whole beat lights its dark parts up."""
SAMPLE_STEP = 5
CHANGED_GREY = 40
CHANGED_SHARE = 0.004
"""Share of the samples outside the sector that must differ from the reference: a clock's digits are less, a new depth
scale is more."""
CHANGED_FRAMES = 3
NO_SECTOR = "NO SECTOR: the screen shows no B-mode image"


class SectorTracker:
    """Feed it every frame. `sector` is the present one, None while it is looked for."""

    def __init__(self, region: tuple[int, int, int, int] | None = None) -> None:
        self.sector: Sector | None = None
        self.searches = 0
        self._region = region
        self._finder = SectorFinder(region)
        self._shape: tuple[int, ...] = ()
        self._outside: NDArray[np.bool_] | None = None
        self._reference: NDArray[np.uint8] | None = None
        self._changed = 0
        self._missed = False  # the last search found nothing: the next one is no news

    def find(self, frames: Sequence[Frame]) -> Sector:
        """Find it on given frames at once. Raises SourceError where none is visible."""
        finder = SectorFinder(self._region)
        for frame in frames:
            finder.add(frame)
        self._settle(finder.find(), frames[-1])
        assert self.sector is not None
        return self.sector

    def update(self, frame: Frame) -> tuple[Sector | None, str]:
        """(the sector, or None while looking; why it is missing, or "found" on the frame that found it)."""
        if frame.shape != self._shape:
            self._restart(frame)
        if self.sector is not None:
            if not self._layout_changed(frame):
                return self.sector, ""
            self._restart(frame)
        self._finder.add(frame)
        if self._finder.frames < LOCATE_FRAMES:
            return None, NO_SECTOR if self._missed else "LOOKING FOR THE SECTOR: the screen's layout is new"
        try:
            self._settle(self._finder.find(), frame)
        except SourceError:
            self._restart(frame)
            self._missed = True
            return None, NO_SECTOR
        return self.sector, "found"

    def _restart(self, frame: Frame) -> None:
        self.sector, self._finder, self._changed, self._missed = None, SectorFinder(self._region), 0, False
        if self._shape and frame.shape != self._shape:
            self._region = None  # a region is given for one size
            self._finder = SectorFinder()
        self._shape = frame.shape

    def _settle(self, sector: Sector, frame: Frame) -> None:
        self.sector, self._changed, self._shape = sector, 0, frame.shape
        self.searches += 1
        self._outside = ~sector.mask[::SAMPLE_STEP, ::SAMPLE_STEP]
        self._reference = _samples(frame)[self._outside]

    def _layout_changed(self, frame: Frame) -> bool:
        assert self._reference is not None
        assert self._outside is not None
        now = _samples(frame)[self._outside]
        differs = np.abs(now.astype(np.int16) - self._reference) > CHANGED_GREY
        self._changed = self._changed + 1 if differs.mean() > CHANGED_SHARE else 0
        return self._changed >= CHANGED_FRAMES


def _samples(frame: Frame) -> NDArray[np.uint8]:
    """Every SAMPLE_STEPth pixel's green or grey."""
    return frame[::SAMPLE_STEP, ::SAMPLE_STEP, 1] if frame.ndim == 3 else frame[::SAMPLE_STEP, ::SAMPLE_STEP]
