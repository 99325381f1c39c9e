"""Whether video is interlaced though nothing says so: what moves has the comb of two fields."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

FRAMES = 8
"""Looked at from the beginning; frames are held back meanwhile."""
MIN_FRAMES = 3
"""So many of them show a comb, and those are most of the ones that move."""
STEP = 12
"""Grey levels that make an edge, or a change."""
MIN_SHARE = 0.001
"""Least share of the picture that moves, and has edges there."""
FINER = 2.0
"""Edges between a line and its neighbours, as against those between lines of one field: between neighbours there are
fewer in a whole picture, whatever its texture and however fast it moves."""


class CombTest:
    """Feed it the first frames; `verdict` is None while it is open."""

    def __init__(self) -> None:
        self._before: NDArray[np.int16] | None = None
        self._seen = self._moving = self._combed = 0

    @property
    def verdict(self) -> bool | None:
        if self._seen < FRAMES:
            return None
        return self._combed >= MIN_FRAMES and 2 * self._combed > self._moving

    def add(self, frame: av.VideoFrame) -> None:
        level = frame.reformat(format="gray").to_ndarray().astype(np.int16)
        if self._before is not None and self._before.shape == level.shape:
            combed = comb_ratio(level, self._before)
            self._moving += combed is not None
            self._combed += combed is not None and combed > FINER
        self._seen, self._before = self._seen + 1, level


def comb_ratio(level: NDArray[np.int16], before: NDArray[np.int16]) -> float | None:
    """Edges between neighbouring lines over those within one field, where a picture (HxW grey) is not as `before`; None
    where too little moves."""
    if len(level) < 8:
        return None
    moves = np.abs(level - before) > STEP
    least = MIN_SHARE * level.size
    if np.count_nonzero(moves) < least:
        return None
    fine, coarse = (int((_ridges(level, apart) & moves[2:-2]).sum()) for apart in (1, 2))
    return fine / max(coarse, 1) if max(fine, coarse) >= least else None


def _ridges(level: NDArray[np.int16], apart: int) -> NDArray[np.bool_]:
    """Where a line is brighter, or darker, than both lines so many rows away; without the two rows at either edge."""
    rows = len(level)
    middle = level[2:-2]
    above, below = middle - level[2 - apart : rows - 2 - apart], middle - level[2 + apart : rows - 2 + apart]
    return np.asarray(((above > STEP) & (below > STEP)) | ((above < -STEP) & (below < -STEP)))
