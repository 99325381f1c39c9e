"""What the stages of one run share."""

from __future__ import annotations

from dataclasses import dataclass

from edge.sources import Source
from edge.stages.safety import Guard
from edge.threads.clock import StageClock
from edge.threads.realtime import Realtime


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The source, the guard that every stage reports to, the clock that times them, and what their threads may use."""

    source: Source
    guard: Guard
    clock: StageClock
    realtime: Realtime

    @property
    def live(self) -> bool:
        """Whether the newest frame wins; else no frame is lost."""
        return self.guard.live
