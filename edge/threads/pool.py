"""Frame-sized arrays that are used again instead of allocated again."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

HELD_BY_POOL = 3
"""References to a slot that nobody uses: the list, the loop variable and getrefcount's own argument."""


class FramePool:
    """Hands out uint8 arrays of one shape; one comes back by itself once nobody refers to it or to a view of it.

    A new shape starts afresh. One thread takes; any thread may hold.
    """

    def __init__(self) -> None:
        self._slots: list[NDArray[np.uint8]] = []
        self._shape: tuple[int, ...] = ()

    def take(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """An array of this shape that nobody else refers to; black when it is new, else its content is left over."""
        if shape != self._shape:
            self._slots, self._shape = [], shape
        for slot in self._slots:
            if sys.getrefcount(slot) == HELD_BY_POOL:
                return slot
        made = np.zeros(shape, np.uint8)
        self._slots.append(made)
        return made
