"""The frame loop: builds the stages, runs inference on the calling thread, sums up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from edge.errors import SourceError
from edge.jetson.heat import HeatWatch
from edge.nets.model import QualityScorer, Segmenter
from edge.report import Report, report_of
from edge.screen.profile import Profile
from edge.screen.tracker import LOCATE_FRAMES
from edge.sinks import Keyed, Sink
from edge.sinks.worker import SinkWorker
from edge.sources import Live, Source
from edge.stages.capture import Capture
from edge.stages.drawing import Drawing
from edge.stages.inference import Inference
from edge.stages.recording import Recording
from edge.stages.refining import Refine, Refining
from edge.stages.safety import Guard, Limits
from edge.stages.watchdog import Watchdog
from edge.threads.clock import StageClock
from edge.threads.realtime import Realtime, at_realtime


@dataclass(frozen=True)
class LoopOptions:
    """How the loop runs: names of the walls, limits of the safe states, threads, typed-in scale.

    `deadline_ms` is the time a frame may take before service is cut down; 0 takes the source's frame period. `depth_cm`
    is the imaging depth where the picture's scale is not known otherwise. `record` names a .mkv for the frames.
    `profile` is a known screen; another one is refused. `refine` is what refines key frames beside the loop, None for
    nothing.
    """

    view: str = ""
    limits: Limits = field(default_factory=Limits)
    realtime: Realtime = field(default_factory=Realtime)
    deadline_ms: float = 0.0
    depth_cm: float = 0.0
    record: str = ""
    profile: Profile | None = None
    refine: Refine | None = None


def run_loop(
    source: Source,
    segmenter: Segmenter,
    scorer: QualityScorer,
    sinks: Sequence[Sink],
    options: LoopOptions | None = None,
    clock: StageClock | None = None,
) -> Report:
    """Analyse every frame of a source and write the overlay to the sinks; `clock` is given the durations of each stage.

    Recordings run as fast as they can and lose no frame. Of a live source the newest frame wins, what is dropped is
    counted, and the safe states of docs/safety.md hold. A recording of a live run is analysed with the decisions made
    then.
    """
    options = options or LoopOptions()
    live, replayed = isinstance(source, Live), bool(getattr(source, "recorded_live", False))
    clock, guard = clock or StageClock(), Guard(options.limits.for_rate(source.fps), live)
    capture = Capture(source, clock, guard, options.realtime)
    drawing = watchdog = None
    inference = Inference(
        source, segmenter, scorer, clock, guard, options.view, options.deadline_ms, options.depth_cm, options.profile
    )
    started = time.monotonic()
    try:
        workers = [SinkWorker(sink, live, clock) for sink in sinks]
        refines = options.refine is not None
        drawing = Drawing(source, segmenter, workers, clock, guard, capture, options.realtime, refines)
        if options.refine is not None:
            inference.refining = Refining(options.refine, live, clock)
            for sink in sinks:
                if isinstance(sink, Keyed):
                    sink.keys["r"] = inference.refining.ask
        if options.record:
            inference.recorder = Recording(options.record, source)
        if live:
            watchdog = Watchdog(guard, capture, drawing, options.realtime)
            inference.heat = HeatWatch().start()
        frames = iter(capture.mailbox)
        step = inference.process if live or replayed else inference.recorded
        if not (live or replayed):
            head = list(islice(frames, LOCATE_FRAMES))
            if not head:
                raise SourceError(f"{source.uri} holds no frames")
            inference.use(inference.tracker.find([frame.image for frame in head]))
            frames = chain(head, frames)
        started = time.monotonic()
        with at_realtime("inference", options.realtime):
            for frame in frames:
                finished = step(frame)
                if finished is not None and not drawing.mailbox.put(finished):
                    break
    finally:
        if watchdog is not None:
            watchdog.stop()
        if inference.heat is not None:
            inference.heat.stop()
        capture.stop()
        if inference.recorder is not None:
            inference.recorder.finish()
        if inference.refining is not None:
            inference.refining.finish()
        if drawing is not None:
            drawing.finish()
    return report_of(source, segmenter, clock, guard, capture, drawing, inference, workers, time.monotonic() - started)
