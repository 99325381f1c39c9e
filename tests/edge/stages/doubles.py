"""What the stages of a run share, with nothing behind it."""

from __future__ import annotations

from edge.sources import open_source
from edge.stages.ending import Ending
from edge.stages.safety import Guard, Limits
from edge.stages.shared import Shared
from edge.threads.clock import StageClock
from edge.threads.realtime import Realtime


def shared(live: bool = True) -> Shared:
    return Shared(
        source=open_source("synth://a4c?frames=1"),
        guard=Guard(Limits(), live),
        clock=StageClock(),
        realtime=Realtime(),
        ending=Ending(),
    )
