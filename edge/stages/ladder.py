"""What is left out when the machine is too slow for every frame, step by step, and taken up again when it is not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """One level of service: the quality net runs on every `quality_every`-th frame (0: never), all of it on every
    `frame_every`-th frame; the others are dropped before the networks and counted."""

    name: str
    quality_every: int
    frame_every: int = 1


LADDER = (
    Rung("full", 1),
    Rung("quality net on every 3rd frame", 3),
    Rung("quality net on every 10th frame", 10),
    Rung("half the frames, quality net on every 10th", 10, 2),
    Rung("half the frames, segmentation only", 0, 2),
)
"""From full service down."""

WINDOW = 20
CALM = 60
"""Comfortable frames, less those that were not, before one step up is tried."""
MAX_CALM = 8 * CALM
COMFORT = 0.6
"""Share of the deadline under which a frame counts as comfortable."""
UNEASE = 5
"""Comfortable frames that one between comfort and the deadline undoes. A late frame undoes all."""


@dataclass(frozen=True)
class Step:
    """One change of level, for the log and the report."""

    frame: int
    down: bool
    rung: Rung
    cost_ms: float


class Ladder:
    """Takes the cost of each frame, answers with the level for the next.

    Down when more than half of the last WINDOW frames miss the deadline; up one step after CALM comfortable frames,
    from which uneasy ones are taken off: a busy machine rarely has 60 comfortable frames in a row. A step up
    that fails soon doubles the wait for the next try, so that the level does not swing. `floor` is the best level that
    may be served, whatever the frames cost: a board that throttles sets it.
    """

    def __init__(self, deadline_ms: float) -> None:
        self.deadline_ms = deadline_ms
        self.level = self.floor = 0
        self.steps: deque[Step] = deque(maxlen=1000)
        self._late: deque[bool] = deque(maxlen=WINDOW)
        self._calm, self._needed, self._since_up = 0, CALM, MAX_CALM

    @property
    def rung(self) -> Rung:
        """The present level."""
        return LADDER[self.level]

    def observe(self, frame: int, cost_ms: float) -> Step | None:
        """Take one frame's cost (capture to analysed, without waiting); the step it causes, if any."""
        budget_ms = self.deadline_ms * self.rung.frame_every
        self._late.append(cost_ms > budget_ms)
        if cost_ms < COMFORT * self.deadline_ms:
            self._calm += 1
        else:
            self._calm = 0 if cost_ms > self.deadline_ms else max(0, self._calm - UNEASE)
        self._since_up += 1
        if self.level < min(self.floor, len(LADDER) - 1):
            return self._move(frame, 1, cost_ms)
        if sum(self._late) > WINDOW // 2 and self.level + 1 < len(LADDER):
            if self._since_up < MAX_CALM:
                self._needed = min(2 * self._needed, MAX_CALM)
            return self._move(frame, 1, cost_ms)
        if self._calm >= self._needed and self.level > self.floor:
            self._since_up = 0
            return self._move(frame, -1, cost_ms)
        if self.level == 0 and self._calm > MAX_CALM:
            self._needed = CALM
        return None

    def _move(self, frame: int, by: int, cost_ms: float) -> Step:
        self.level += by
        self._late.clear()
        self._calm = 0
        step = Step(frame, by > 0, self.rung, cost_ms)
        self.steps.append(step)
        return step
