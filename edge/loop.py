"""The frame loop: starts the stages, runs inference on the calling thread, sums up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice

from edge.errors import SourceError
from edge.heart.plane import Turn
from edge.heart.record import HeartRecord
from edge.jetson.heat import HeatWatch
from edge.nets.model import QualityScorer, Segmenter
from edge.report import CLOSED, Report
from edge.screen.known import KnownScreen
from edge.screen.tracker import LOCATE_FRAMES
from edge.sinks import Closable, Keyed, Sink
from edge.sources import Captured, Live, Source
from edge.stages.capture import Capture
from edge.stages.drawing import Drawing
from edge.stages.ending import Ending
from edge.stages.finished import Finished
from edge.stages.inference import Inference
from edge.stages.keys import keys_of
from edge.stages.output import Output
from edge.stages.recording import Recording
from edge.stages.refining import Refine, Refining
from edge.stages.safety import Guard, Limits
from edge.stages.screening import Screening
from edge.stages.shared import Shared, reason_of
from edge.stages.summary import Stages, report_of
from edge.stages.watchdog import Watchdog
from edge.threads.clock import StageClock
from edge.threads.realtime import Realtime, at_realtime

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """How the loop runs: the view and whether it is believed unchecked, how the picture stands where the operator says
    so, limits of the safe states, threads, the screen.

    `deadline_ms` is the time a frame may take before service is cut down; 0 takes the source's frame period. `record`
    names a .mkv for the frames. `refine` is what refines key frames beside the loop, None for nothing. `shows_screen`
    lets local windows show the scanner's whole screen; `label` stands on stills. `heart` is the record that beats go
    into, None for a new one.
    """

    view: str = ""
    insists: bool = False
    turn: Turn | None = None
    limits: Limits = field(default_factory=Limits)
    realtime: Realtime = field(default_factory=Realtime)
    deadline_ms: float = 0.0
    screen: KnownScreen = field(default_factory=KnownScreen)
    record: str = ""
    refine: Refine | None = None
    shows_screen: bool = False
    label: str = ""
    heart: HeartRecord | None = None


def run_loop(
    source: Source,
    segmenter: Segmenter,
    scorer: QualityScorer,
    sinks: Sequence[Sink],
    options: LoopOptions | None = None,
    clock: StageClock | None = None,
    ending: Ending | None = None,
) -> Report:
    """Analyse every frame of a source and write the overlay to the sinks; `clock` is given the durations of each stage.

    Recordings run as fast as they can and lose no frame. Of a live source the newest frame wins, what is dropped is
    counted, and the safe states of docs/safety.md hold. A recording of a live run is analysed with the decisions made
    then.

    The run ends with its source, or when `ending` is asked to. Either way, and also after an error, the outputs hold
    everything up to the last finished frame; the report says how it ended and what stopped before. An error before the
    first frame was analysed is raised: EchoEdgeError where there is nothing to analyse.
    """
    options = options or LoopOptions()
    shared = Shared(
        source=source,
        guard=Guard(options.limits.for_rate(source.fps), isinstance(source, Live)),
        clock=clock or StageClock(),
        realtime=options.realtime,
        ending=ending or Ending(),
    )
    shared.ending.begin()
    started = time.monotonic()
    with ExitStack() as stack:
        stages = _start(shared, segmenter, scorer, sinks, options, stack)
        started = time.monotonic()
        error = _analyse(stages) or stages.drawing.error
    if error is not None and not shared.clock.count("segment"):
        raise error
    return report_of(stages, time.monotonic() - started, reason_of(error) if error is not None else "")


def _analyse(stages: Stages) -> Exception | None:
    """Every frame until the source is over or the run is asked to end; the error that ended it."""
    try:
        frames, step = _steps(stages)
        with at_realtime("inference", stages.shared.realtime):
            for frame in frames:
                finished = step(frame)
                if finished is not None and not stages.drawing.mailbox.put(finished):
                    break
        if not stages.shared.live:
            stages.inference.finish()
    except Exception as error:  # the outputs are finished first
        log.debug("the run ends by an error", exc_info=True)
        return error
    return None


def _start(
    shared: Shared,
    segmenter: Segmenter,
    scorer: QualityScorer,
    sinks: Sequence[Sink],
    options: LoopOptions,
    stack: ExitStack,
) -> Stages:
    """Build the stages and enter them, the last one first: on the way out each still finds the next one at work."""
    capture = Capture(shared)
    outputs = [stack.enter_context(Output(sink, shared)) for sink in sinks]
    refines = options.refine is not None
    drawing = Drawing(shared, engine=segmenter, capture=capture, outputs=outputs, refines=refines, label=options.label)
    stack.enter_context(drawing)
    refining = recording = heat = None
    for sink in sinks:
        if isinstance(sink, Closable):
            sink.closed = lambda: shared.ending.ask(CLOSED)
    if options.refine is not None:
        refining = stack.enter_context(Refining(options.refine, shared))
    if options.record:
        recording = stack.enter_context(Recording(options.record, shared))
    stack.enter_context(capture)
    if shared.live:
        heat = HeatWatch().start()
        stack.callback(heat.stop)
        stack.enter_context(Watchdog(shared, capture, drawing))
    inference = Inference(
        shared,
        segmenter=segmenter,
        scorer=scorer,
        screening=Screening(shared, options.screen, options.turn is not None and options.turn.upside_down),
        view=options.view,
        insists=options.insists,
        turn=options.turn,
        deadline_ms=options.deadline_ms,
        shows_screen=options.shows_screen,
        refining=refining,
        recording=recording,
        heat=heat,
        heart=options.heart,
    )
    for sink in sinks:
        if isinstance(sink, Keyed):
            sink.keys |= keys_of(inference, drawing)
    return Stages(
        shared=shared, engine=segmenter, capture=capture, inference=inference, drawing=drawing, outputs=outputs
    )


def _steps(stages: Stages) -> tuple[Iterator[Captured], Callable[[Captured], Finished | None]]:
    """The frames, and what is done with each. Of a recording the sector is found before its first frame is analysed."""
    source, inference = stages.shared.source, stages.inference
    frames = stages.capture.mailbox.until(lambda: stages.shared.ending.is_asked)
    if stages.shared.live or getattr(source, "is_recording", False):
        return frames, inference.process
    head = list(islice(frames, LOCATE_FRAMES))
    if not head and not stages.shared.ending.is_asked:
        raise SourceError(f"{source.uri} holds no frames")
    if head:
        inference.screening.find([frame.image for frame in head])
    return chain(head, frames), inference.recorded
