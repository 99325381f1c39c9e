"""What stands on the screen for a while: shown values that do not flicker with every frame."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

T = TypeVar("T")


class Steady(Generic[T]):
    """Holds a value and gives it up only for one that lasts: `clear_s` for `nothing`, `change_s` for anything else.

    The first value holds at once. Values that alternate among each other count together against the one that is held,
    so that two reasons in turn still take it away; `nothing` must come without a break. Times are the source's, in
    seconds.
    """

    def __init__(self, nothing: T, change_s: float, clear_s: float) -> None:
        self._nothing, self._change_s, self._clear_s = nothing, change_s, clear_s
        self._value, self._first = nothing, True
        self._differs_s = self._empty_s = math.inf

    def update(self, time_s: float, value: T) -> T:
        """Take one frame's value, return the one to show."""
        if self._first or value == self._value:
            self._value, self._first = value, False
            self._differs_s = self._empty_s = math.inf
            return value
        # A clock that was set back (a loop that begins again) must not hold a value for ever.
        self._differs_s = min(self._differs_s, time_s)
        self._empty_s = min(self._empty_s, time_s) if value == self._nothing else math.inf
        since_s, needed_s = (
            (self._empty_s, self._clear_s) if value == self._nothing else (self._differs_s, self._change_s)
        )
        if time_s - since_s >= needed_s:
            self._value = value
            self._differs_s = self._empty_s = math.inf
        return self._value


def weight_after(elapsed_s: float, constant_s: float) -> float:
    """Weight of the newest value in an exponential mean whose time constant is `constant_s`; 1 where time ran
    backwards.
    """
    return 1.0 if elapsed_s < 0 else 1.0 - math.exp(-elapsed_s / constant_s)
