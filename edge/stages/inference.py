"""Second stage: frames to analyses."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import replace

from edge.analysis import Analyser
from edge.best import BestFrames
from edge.clock import StageClock
from edge.drift import Drift, DriftWatch
from edge.ladder import Ladder
from edge.model import QualityScorer, Segmenter
from edge.safety import Guard, SignalCheck
from edge.sector import Sector
from edge.sources import Captured, Source
from edge.stages.finished import Finished
from edge.stages.recording import Recording
from edge.tracker import SectorTracker

log = logging.getLogger(__name__)

UNLIKE = "picture unlike calibration"


class Inference:
    """One frame after the other: is there a picture, where is the sector, what do the networks say."""

    def __init__(
        self, source: Source, segmenter: Segmenter, scorer: QualityScorer, clock: StageClock, guard: Guard,
        view: str = "", deadline_ms: float = 0.0, depth_cm: float = 0.0,
    ) -> None:  # fmt: skip
        self._source, self._segmenter, self._scorer = source, segmenter, scorer
        self._clock, self._guard, self._view, self._depth_cm = clock, guard, view, depth_cm
        self._signal = SignalCheck(guard.limits)
        self.tracker = SectorTracker(source.region)
        self.ladder = Ladder(deadline_ms or 1000 / max(source.fps, 1.0))
        self.analyser: Analyser | None = None
        self.best = BestFrames()
        self.withheld: Counter[str] = Counter()
        self.processed = self.skipped = 0
        self.recorder: Recording | None = None
        self._watch = DriftWatch(segmenter.manifest.grey_levels)
        self.drifts: list[tuple[int, Drift]] = []
        """Numbers of the frames with which a warning began or ended, and what was found."""

    def use(self, sector: Sector) -> None:
        """Analyse within this sector from here on; beats and scores start afresh."""
        spacing_mm = self._source.spacing_mm
        if spacing_mm is None and self._depth_cm:
            spacing_mm = sector.spacing_from_depth(self._depth_cm)
        self.analyser = Analyser(self._segmenter, self._scorer, sector, spacing_mm, self._clock, self._view)
        self.best.restart()

    def process(self, frame: Captured) -> Finished | None:
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
            return Finished(frame, None, problem, started_ns)
        return self._analyse(self.analyser, frame, with_quality)

    def _analyse(self, analyser: Analyser, frame: Captured, with_quality: bool) -> Finished:
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
        notice = self._drift(frame, analyser)
        if analysis.invalid:
            return Finished(frame, None, problem, started_ns, notice)
        self.withheld[analysis.withheld.volume] += 1
        best = self.best.update(analysis, analyser.beats.candidates())
        return Finished(frame, analysis, problem, started_ns, notice, best)

    def _drift(self, frame: Captured, analyser: Analyser) -> str:
        """The notice while the picture is unlike the calibration frames, "" else."""
        news = self._watch.look(frame.image, analyser.sector)
        if news is not None:
            self.drifts.append((frame.number, news))
            log.warning(
                "the picture is %s the calibration set: %.0f grey levels away, usual are up to %.0f",
                "unlike" if news.has_drifted else "again like", news.distance, news.threshold,
            )  # fmt: skip
        return UNLIKE if self._watch.drift else ""

    def recorded(self, frame: Captured) -> Finished:
        """Analyse one frame of a recording: no deadline, nothing left out."""
        assert self.analyser is not None
        # A file has no moment of capture: its frames are as old as their analysis.
        return self._analyse(self.analyser, replace(frame, captured_ns=time.monotonic_ns()), True)
