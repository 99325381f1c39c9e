"""The frame loop: capture, inference and output in their own threads, joined by mailboxes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from edge.analysis import Analyser, Analysis
from edge.clock import StageClock
from edge.errors import SourceError
from edge.mailbox import Mailbox
from edge.model import QualityScorer, Segmenter
from edge.overlay import HeadUp, Overlay
from edge.sector import find_sector
from edge.sinks import Shown, Sink
from edge.sources import Captured, Source

LOCATE_FRAMES = 16
"""Frames that the sector is found on before the first is analysed."""
FPS_WINDOW = 30


@dataclass(frozen=True)
class Report:
    """What a run did: counts, rates, percentiles in ms a stage, measurements."""

    frames_in: int
    frames_processed: int
    frames_dropped: int
    fps: float
    seconds: float
    backend: str
    precision: str
    latency_ms: dict[str, dict[str, float]]
    events: list[dict[str, Any]]
    ejection_fraction_percent: list[float]
    sector: dict[str, Any]


class _Capture:
    """Reads a source into a mailbox on its own thread, at its own pace or at the source's frame rate."""

    def __init__(self, source: Source, clock: StageClock, native_pace: bool) -> None:
        self.mailbox: Mailbox[Captured] = Mailbox(1 if native_pace else 4, newest_wins=native_pace)
        self.frames = 0
        self._source, self._clock, self._native_pace = source, clock, native_pace
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            frames = iter(self._source)
            started = time.monotonic()
            while True:
                with self._clock.time("decode"):
                    frame = next(frames, None)
                if frame is None:
                    break
                if self._native_pace:
                    time.sleep(max(0.0, started + frame.time_s - time.monotonic()))
                    frame = replace(frame, captured_ns=time.monotonic_ns())
                self.frames += 1
                if not self.mailbox.put(frame):
                    break
        except BaseException as error:  # handed to the reader, which raises it
            self.mailbox.close(error)
        self.mailbox.close()

    def stop(self) -> None:
        """End the thread; what it has read stays counted."""
        self.mailbox.close()
        self._thread.join(timeout=5)


class _Output:
    """Draws and writes finished frames on its own thread."""

    def __init__(
        self, overlay: Overlay, sinks: Sequence[Sink], clock: StageClock, analyser: Analyser, capture: _Capture
    ) -> None:
        self.mailbox: Mailbox[tuple[Analysis, int]] = Mailbox(2, newest_wins=False)
        self._overlay, self._sinks, self._clock = overlay, sinks, clock
        self._analyser, self._capture = analyser, capture
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        times: deque[float] = deque(maxlen=FPS_WINDOW)
        engine = self._analyser.segmenter
        try:
            for analysis, started_ns in self.mailbox:
                times.append(time.monotonic())
                rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
                now_ns = time.monotonic_ns()
                head = HeadUp(
                    rate, (now_ns - analysis.frame.captured_ns) / 1e6, (now_ns - started_ns) / 1e6,
                    engine.backend.name, engine.manifest.precision, self._capture.mailbox.dropped,
                )  # fmt: skip
                with self._clock.time("overlay"):
                    picture = self._overlay.draw(analysis, head)
                self._clock.add("capture to drawn", time.monotonic_ns() - analysis.frame.captured_ns)
                with self._clock.time("write"):
                    for sink in self._sinks:
                        sink.write(Shown(analysis, picture, head))
        except BaseException as error:  # raised again by `finish` on the main thread
            self._error = error
            self.mailbox.close()

    def finish(self) -> None:
        """Wait until everything handed over is written; raise what went wrong."""
        self.mailbox.close()
        self._thread.join()
        if self._error is not None:
            raise self._error


def run_loop(
    source: Source, segmenter: Segmenter, scorer: QualityScorer, sinks: Sequence[Sink],
    native_pace: bool = False, view: str = "",
) -> Report:  # fmt: skip
    """Analyse every frame of a source and write the overlay to the sinks.

    Files run as fast as they can and lose no frame. With `native_pace` frames come at the source's rate like a live
    signal: the newest wins and what is dropped is counted.
    """
    clock = StageClock()
    capture = _Capture(source, clock, native_pace)
    output: _Output | None = None
    processed, used_to_locate = 0, 0
    try:
        frames = iter(capture.mailbox)
        head = list(islice(frames, LOCATE_FRAMES))
        if not head:
            raise SourceError(f"{source.uri} holds no frames")
        sector = find_sector([frame.image for frame in head], source.region)
        if native_pace:  # what the sector was found on is old by now
            used_to_locate = len(head) - 1
            head = head[-1:]
        analyser = Analyser(segmenter, scorer, sector, source.spacing_mm, clock)
        overlay = Overlay(head[0].image.shape[:2], source.fps, view, source.frames)
        output = _Output(overlay, sinks, clock, analyser, capture)
        started = time.monotonic()
        for frame in chain(head, frames):
            started_ns = time.monotonic_ns()
            if not native_pace:  # a file has no moment of capture: its frames are as old as their analysis
                frame = replace(frame, captured_ns=started_ns)
            analysis = analyser.analyse(frame)
            processed += 1
            if not output.mailbox.put((analysis, started_ns)):
                break
    finally:
        capture.stop()
        if output is not None:
            output.finish()
    seconds = max(time.monotonic() - started, 1e-9)
    return Report(
        frames_in=capture.frames,
        frames_processed=processed,
        frames_dropped=capture.mailbox.dropped + used_to_locate,
        fps=processed / seconds,
        seconds=seconds,
        backend=segmenter.backend.name,
        precision=segmenter.manifest.precision,
        latency_ms=clock.percentiles_ms(),
        events=[
            {"kind": e.kind, "frame": e.frame, "volume_ml": e.volume_ml}
            for e in analyser.beats.events
        ],
        ejection_fraction_percent=list(analyser.ejection_fractions),
        sector={
            "x": sector.box.x, "y": sector.box.y, "side": sector.box.side,
            "is_fan": sector.fan is not None,
        },
    )  # fmt: skip
