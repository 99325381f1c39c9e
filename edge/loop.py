"""The frame loop: capture, inference, drawing and every output in threads of their own, joined by mailboxes."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from edge.analysis import Analyser, Analysis
from edge.clock import StageClock
from edge.errors import SourceError
from edge.ladder import Ladder
from edge.mailbox import Mailbox
from edge.model import QualityScorer, Segmenter
from edge.overlay import HeadUp, Overlay
from edge.realtime import Realtime, make_realtime
from edge.record import Recorder, drain
from edge.safety import Guard, Limits, SignalCheck
from edge.sector import Sector
from edge.sinks import Shown, Sink
from edge.sinks.worker import SinkWorker
from edge.sources import Captured, Live, Source
from edge.tracker import LOCATE_FRAMES, SectorTracker

log = logging.getLogger(__name__)

FPS_WINDOW = 30
RECORD_SLOTS = 60
WATCH_S = 0.02
REPEAT_S = 0.5
"""A banner is drawn again this often, so that a viewer who joins late sees it."""


@dataclass(frozen=True)
class LoopOptions:
    """How the loop runs: names of the walls, limits of the safe states, threads, typed-in scale.

    `deadline_ms` is the time a frame may take before service is cut down; 0 takes the source's frame period.
    `depth_cm` is the imaging depth where the picture's scale is not known otherwise. `record` names a .mkv for the frames.
    """

    view: str = ""
    limits: Limits = field(default_factory=Limits)
    realtime: Realtime = field(default_factory=Realtime)
    deadline_ms: float = 0.0
    depth_cm: float = 0.0
    record: str = ""


@dataclass(frozen=True)
class Report:
    """What a run did: counts, rates, percentiles in ms a stage, measurements, safe states, steps of service."""

    frames_in: int
    frames_processed: int
    frames_dropped: int
    dropped: dict[str, int]
    fps: float
    seconds: float
    backend: str
    precision: str
    latency_ms: dict[str, dict[str, float]]
    events: list[dict[str, Any]]
    ejection_fraction_percent: list[float]
    sector: dict[str, Any]
    safe_states: dict[str, int]
    service: list[dict[str, Any]]
    reconnects: int


class _Capture:
    """Reads a source into a mailbox on its own thread."""

    def __init__(self, source: Source, clock: StageClock, guard: Guard, realtime: Realtime) -> None:
        live = isinstance(source, Live)
        self.mailbox: Mailbox[Captured] = Mailbox(1 if live else 4, newest_wins=live)
        self.frames = 0
        self._source, self._clock, self._guard, self._realtime = source, clock, guard, realtime
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        make_realtime("capture", self._realtime)
        try:
            frames = iter(self._source)
            while True:
                with self._clock.time("decode"):
                    frame = next(frames, None)
                if frame is None:
                    break
                self._guard.captured(frame.captured_ns)
                self.frames += 1
                if not self.mailbox.put(frame):
                    break
        except BaseException as error:  # handed to the reader, which raises it
            self.mailbox.close(error)
        self._guard.source_ended()
        self.mailbox.close()

    @property
    def status(self) -> str:
        """What a live source says that it does; "" while frames come."""
        return self._source.status if isinstance(self._source, Live) else ""

    @property
    def reconnects(self) -> int:
        return self._source.reconnects if isinstance(self._source, Live) else 0

    def stop(self) -> None:
        """End the thread; what it has read stays counted."""
        if isinstance(self._source, Live):
            self._source.stop()
        self.mailbox.close()
        self._thread.join(timeout=5)


@dataclass(frozen=True)
class _Finished:
    """What inference hands to drawing: a frame with its analysis, or with the reason why it has none."""

    frame: Captured | None
    analysis: Analysis | None
    banner: str
    started_ns: int


class _Output:
    """Draws finished frames and banners on its own thread and hands them to the sinks' threads."""

    def __init__(
        self, source: Source, engine: Segmenter, workers: Sequence[SinkWorker], clock: StageClock, guard: Guard,
        capture: _Capture, options: LoopOptions,
    ) -> None:  # fmt: skip
        self.mailbox: Mailbox[_Finished] = Mailbox(1 if guard.live else 2, newest_wins=guard.live)
        self._overlay: Overlay | None = None
        self._source, self._engine, self._workers, self._clock = source, engine, workers, clock
        self._guard, self._capture, self._options = guard, capture, options
        self._times: deque[float] = deque(maxlen=FPS_WINDOW)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="draw", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        make_realtime("draw", self._options.realtime)
        try:
            for finished in self.mailbox:
                self._draw(finished)
        except BaseException as error:  # raised again by `finish` on the main thread
            self._error = error
            self.mailbox.close()

    def _draw(self, finished: _Finished) -> None:
        now_ns = time.monotonic_ns()
        frame, analysis = finished.frame, finished.analysis
        banner = self._guard.state(now_ns, self._capture.status) or finished.banner
        head = self._head(finished, now_ns)
        with self._clock.time("overlay"):
            if frame is not None:
                self._overlay = self._overlay or Overlay(
                    frame.image.shape[:2], self._source.fps, self._options.view, self._source.frames
                )
                self._overlay.fit(frame.image.shape[:2])
            overlay = self._overlay or Overlay((480, 640), self._source.fps, self._options.view)
            if analysis is not None and not banner:
                picture = overlay.draw(analysis, head)
            else:
                # What is on screen while the source is silent would be an old picture: it goes, too.
                image = frame.image if frame is not None and not banner.startswith("NO SIGNAL") else None
                picture = overlay.draw_safe(image, head, banner)
        if frame is not None:
            self._clock.add("capture to drawn", time.monotonic_ns() - frame.captured_ns)
        shown = Shown(analysis, picture, head, frame, banner, finished.banner)
        for worker in self._workers:
            worker.offer(shown)

    def _head(self, finished: _Finished, now_ns: int) -> HeadUp:
        if finished.analysis is not None:
            self._times.append(time.monotonic())
        times = self._times
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
        captured_ns = finished.frame.captured_ns if finished.frame else now_ns
        return HeadUp(
            rate, (now_ns - captured_ns) / 1e6, (now_ns - finished.started_ns) / 1e6,
            self._engine.backend.name, self._engine.manifest.precision, self._capture.mailbox.dropped,
        )  # fmt: skip

    def finish(self) -> None:
        """Wait until everything handed over is written; raise what went wrong."""
        self.mailbox.close()
        self._thread.join()
        for worker in self._workers:
            worker.finish()
        if self._error is not None:
            raise self._error


class _Watchdog:
    """Looks at the guard every WATCH_S and has the banner drawn when a live signal or the networks fall silent."""

    def __init__(self, guard: Guard, capture: _Capture, output: _Output) -> None:
        self._guard, self._capture, self._output = guard, capture, output
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        shown, since = "", 0.0
        while not self._ended.wait(WATCH_S):
            now = time.monotonic()
            banner = self._guard.state(time.monotonic_ns(), self._capture.status)
            if banner and (banner != shown or now - since > REPEAT_S):
                self._output.mailbox.put(_Finished(None, None, banner, time.monotonic_ns()))
                since = now
            if banner != shown:
                log.warning("%s", banner or "overlay is back")
            shown = banner

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


class _Recording:
    """Keeps the analysed frames on its own thread; one that falls behind by RECORD_SLOTS frames loses some, and says so."""

    def __init__(self, path: str, source: Source) -> None:
        self.mailbox: Mailbox[tuple[Captured, bool]] = Mailbox(RECORD_SLOTS, newest_wins=True)
        self._recorder = Recorder(Path(path), source.uri, source.fps)
        self._recorder.spacing_mm, self._recorder.region = source.spacing_mm, source.region
        self._thread = threading.Thread(target=drain, args=(self.mailbox, self._recorder), name="record", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        self.mailbox.close()
        self._thread.join()
        self._recorder.__exit__(None, None, None)


class _Inference:
    """One frame after the other: is there a picture, where is the sector, what do the networks say."""

    def __init__(
        self, source: Source, segmenter: Segmenter, scorer: QualityScorer, clock: StageClock, guard: Guard,
        options: LoopOptions,
    ) -> None:  # fmt: skip
        self._source, self._segmenter, self._scorer = source, segmenter, scorer
        self._clock, self._guard, self._options = clock, guard, options
        self._signal = SignalCheck(guard.limits)
        self.tracker = SectorTracker(source.region)
        self.ladder = Ladder(options.deadline_ms or 1000 / max(source.fps, 1.0))
        self.analyser: Analyser | None = None
        self.processed = self.skipped = 0
        self.recorder: _Recording | None = None

    def use(self, sector: Sector) -> None:
        """Analyse within this sector from here on; beats and scores start afresh."""
        spacing_mm = self._source.spacing_mm
        if spacing_mm is None and self._options.depth_cm:
            spacing_mm = sector.spacing_from_depth(self._options.depth_cm)
        self.analyser = Analyser(self._segmenter, self._scorer, sector, spacing_mm, self._clock)

    def process(self, frame: Captured) -> _Finished | None:
        """Analyse one frame of a live signal; None where it is left out to keep up."""
        started_ns = time.monotonic_ns()
        rung = self.ladder.rung
        self.processed += 1
        if frame.quality is None and rung.frame_every > 1 and self.processed % rung.frame_every:
            self.skipped += 1
            return None
        with_quality = bool(rung.quality_every) and frame.number % rung.quality_every == 0
        with_quality = with_quality if frame.quality is None else frame.quality
        if self.recorder is not None:
            self.recorder.mailbox.put((frame, with_quality))
        problem = self._signal.look(frame, frame.captured_ns / 1e9)
        sector, news = (None, "") if problem else self.tracker.update(frame.image)
        if sector is not None and (news or self.analyser is None):
            self.use(sector)
        if sector is None or self.analyser is None:
            problem = problem or news
            self._guard.judged(problem)
            return _Finished(frame, None, problem, started_ns)
        return self._analyse(self.analyser, frame, with_quality)

    def _analyse(self, analyser: Analyser, frame: Captured, with_quality: bool) -> _Finished:
        started_ns = time.monotonic_ns()
        self._guard.inference_started(started_ns)
        try:
            analysis = analyser.analyse(frame, with_quality, keep_scores=bool(self.ladder.rung.quality_every))
        finally:
            self._guard.inference_ended()
        ended_ns = time.monotonic_ns()
        problem = analysis.invalid
        if self._guard.live and not problem and (ended_ns - frame.captured_ns) / 1e6 > self._guard.limits.age_ms:
            problem = f"RESULT TOO OLD: more than {self._guard.limits.age_ms:.0f} ms after its frame"
        self._guard.judged(problem)
        step = self.ladder.observe(frame.number, (ended_ns - started_ns) / 1e6) if self._guard.live else None
        if step is not None:
            log.warning(
                "service %s: %s (a frame took %.0f ms)",
                "cut" if step.down else "restored",
                step.rung.name,
                step.cost_ms,
            )
        return _Finished(frame, None if analysis.invalid else analysis, problem, started_ns)

    def recorded(self, frame: Captured) -> _Finished:
        """Analyse one frame of a recording: no deadline, nothing left out."""
        assert self.analyser is not None
        # A file has no moment of capture: its frames are as old as their analysis.
        return self._analyse(self.analyser, replace(frame, captured_ns=time.monotonic_ns()), True)


def run_loop(
    source: Source,
    segmenter: Segmenter,
    scorer: QualityScorer,
    sinks: Sequence[Sink],
    options: LoopOptions | None = None,
) -> Report:
    """Analyse every frame of a source and write the overlay to the sinks.

    Recordings run as fast as they can and lose no frame. Of a live source the newest frame wins, what is dropped is
    counted, and the safe states of docs/safety.md hold. A recording of a live run is analysed with the decisions made then.
    """
    options = options or LoopOptions()
    live, replayed = isinstance(source, Live), bool(getattr(source, "recorded_live", False))
    clock, guard = StageClock(), Guard(options.limits.for_rate(source.fps), live)
    capture = _Capture(source, clock, guard, options.realtime)
    output = watchdog = None
    inference = _Inference(source, segmenter, scorer, clock, guard, options)
    started = time.monotonic()
    try:
        make_realtime("inference", options.realtime)
        workers = [SinkWorker(sink, live, clock) for sink in sinks]
        output = _Output(source, segmenter, workers, clock, guard, capture, options)
        if options.record:
            inference.recorder = _Recording(options.record, source)
        if live:
            watchdog = _Watchdog(guard, capture, output)
        frames = iter(capture.mailbox)
        step = inference.process if live or replayed else inference.recorded
        if not (live or replayed):
            head = list(islice(frames, LOCATE_FRAMES))
            if not head:
                raise SourceError(f"{source.uri} holds no frames")
            inference.use(inference.tracker.find([frame.image for frame in head]))
            frames = chain(head, frames)
        started = time.monotonic()
        for frame in frames:
            finished = step(frame)
            if finished is not None and not output.mailbox.put(finished):
                break
    finally:
        if watchdog is not None:
            watchdog.stop()
        capture.stop()
        if inference.recorder is not None:
            inference.recorder.finish()
        if output is not None:
            output.finish()
    return _report(source, segmenter, clock, guard, capture, output, inference, workers, time.monotonic() - started)


def _report(
    source: Source, engine: Segmenter, clock: StageClock, guard: Guard, capture: _Capture, output: _Output,
    inference: _Inference, workers: Sequence[SinkWorker], seconds: float,
) -> Report:  # fmt: skip
    stages = clock.percentiles_ms()
    analyser = inference.analyser
    sector = inference.tracker.sector
    analysed = clock.count("segment")
    dropped = {"capture": capture.mailbox.dropped, "service cut": inference.skipped}
    dropped |= {"drawing": output.mailbox.dropped}
    lost = inference.recorder.mailbox.dropped if inference.recorder else 0
    dropped |= {"recording": lost}
    dropped |= {f"output {worker.name}": worker.dropped for worker in workers if worker.dropped}
    return Report(
        frames_in=capture.frames,
        frames_processed=analysed,
        frames_dropped=capture.frames - analysed,
        dropped={name: count for name, count in dropped.items() if count},
        fps=analysed / max(seconds, 1e-9),
        seconds=seconds,
        backend=engine.backend.name,
        precision=engine.manifest.precision,
        latency_ms=stages,
        events=[
            {"kind": e.kind, "frame": e.frame, "volume_ml": e.volume_ml}
            for e in (analyser.beats.events if analyser else ())
        ],
        ejection_fraction_percent=list(analyser.ejection_fractions) if analyser else [],
        sector={} if sector is None else {
            "x": sector.box.x, "y": sector.box.y, "side": sector.box.side, "is_fan": sector.fan is not None,
        },
        safe_states=dict(guard.trips),
        service=[{"frame": s.frame, "down": s.down, "to": s.rung.name, "cost_ms": s.cost_ms} for s in inference.ladder.steps],
        reconnects=capture.reconnects,
    )  # fmt: skip
