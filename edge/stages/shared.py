"""What the stages of one run share."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.sources import Source
from edge.stages.ending import Ending
from edge.stages.safety import Guard
from edge.threads.clock import StageClock
from edge.threads.realtime import Realtime


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The source, the guard that every stage reports to, the clock that times them, what their threads may use, and how
    the run ends. `stopped` says of what goes on no longer, such as an output whose disk is full, why."""

    source: Source
    guard: Guard
    clock: StageClock
    realtime: Realtime
    ending: Ending
    stopped: dict[str, str] = field(default_factory=dict)

    def stop(self, name: str, error: BaseException) -> None:
        """Something beside the frames ends before the run does; the first reason counts."""
        self.stopped.setdefault(name, reason_of(error))

    @property
    def live(self) -> bool:
        """Whether the newest frame wins; else no frame is lost."""
        return self.guard.live


def reason_of(error: BaseException) -> str:
    """An error in words, without the name of a file that is named beside it anyway."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
