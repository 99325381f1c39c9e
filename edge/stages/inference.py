"""Second stage: frames to analyses."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import replace

from edge.heart.analysis import Analyser
from edge.heart.best import BestFrames
from edge.jetson.heat import HeatWatch
from edge.nets.drift import Drift, DriftWatch
from edge.nets.model import QualityScorer, Segmenter
from edge.refine.keyframe import Held
from edge.screen.kind import FROZEN, STILL_S, EchoWatch
from edge.screen.profile import Profile
from edge.screen.scale import Calibration, TypedDepth, calibrate
from edge.screen.sector import Sector
from edge.screen.tracker import SectorTracker
from edge.sources import Captured, Source
from edge.stages.finished import Finished
from edge.stages.ladder import Ladder
from edge.stages.recording import Recording
from edge.stages.refining import Refining
from edge.stages.safety import Guard, SignalCheck
from edge.threads.clock import StageClock

log = logging.getLogger(__name__)

UNLIKE = "picture unlike calibration"


class Inference:
    """One frame after the other: is there a picture, where is the sector, what do the networks say."""

    def __init__(
        self,
        source: Source,
        segmenter: Segmenter,
        scorer: QualityScorer,
        clock: StageClock,
        guard: Guard,
        view: str = "",
        deadline_ms: float = 0.0,
        depth_cm: float = 0.0,
        profile: Profile | None = None,
    ) -> None:
        self._source, self._segmenter, self._scorer = source, segmenter, scorer
        self._clock, self._guard, self._view, self._depth_cm = clock, guard, view, depth_cm
        self._signal = SignalCheck(guard.limits)
        self._typed: TypedDepth | None = None
        self._echo: EchoWatch | None = None
        self.tracker = SectorTracker(source.region, profile)
        self.ladder = Ladder(deadline_ms or 1000 / max(source.fps, 1.0))
        self.analyser: Analyser | None = None
        self.best = BestFrames()
        self.withheld: Counter[str] = Counter()
        self.calibration = Calibration()
        self.processed = self.skipped = 0
        self.recorder: Recording | None = None
        self.refining: Refining | None = None
        self._captured_ns = 0
        self._watch = DriftWatch(segmenter.manifest.grey_levels)
        self.drifts: list[tuple[int, Drift]] = []
        """Numbers of the frames with which a warning began or ended, and what was found."""
        self.heat: HeatWatch | None = None

    def use(self, sector: Sector) -> None:
        """Analyse within this sector from here on; beats and scores start afresh."""
        scale = self.tracker.scale
        self._typed = self._typed or TypedDepth(self._depth_cm, sector, scale.step_px)
        depth_cm = self._depth_cm if self._typed.holds_for(sector, scale) else 0.0
        self.calibration = calibrate(sector, scale, self._source.spacing_mm, depth_cm)
        if self._depth_cm and not depth_cm and self._source.spacing_mm is None:
            log.warning("the screen has changed, the typed depth is not used any more: %s", self.calibration.origin)
        self._echo = EchoWatch(sector, max(STILL_S, self._guard.limits.freeze_ms / 1000))
        self.analyser = self._new_analyser(sector)
        self.best.restart()

    def _new_analyser(self, sector: Sector) -> Analyser:
        return Analyser(self._segmenter, self._scorer, sector, self.calibration, self._clock, self._view)

    def process(self, frame: Captured) -> Finished | None:
        """Analyse one frame of a live signal; None where it is left out to keep up."""
        started_ns = time.monotonic_ns()
        self.ladder.floor = self.heat.level if self.heat else 0
        rung = self.ladder.rung
        self.processed += 1
        if frame.quality is None and rung.frame_every > 1 and self.processed % rung.frame_every:
            self.skipped += 1
            return None
        with_quality = bool(rung.quality_every) and frame.number % rung.quality_every == 0
        with_quality = with_quality if frame.quality is None else frame.quality
        if self.recorder is not None:
            self.recorder.mailbox.put((frame, with_quality))
        gap_ms, self._captured_ns = (frame.captured_ns - self._captured_ns) / 1e6, frame.captured_ns
        if self.refining is not None and gap_ms > self._guard.limits.signal_ms:
            self.refining.forget()
        problem = self._signal.look(frame, frame.captured_ns / 1e9)
        if problem and self.analyser is not None:
            self.analyser.forget()
        sector, news = (None, "") if problem else self.tracker.update(frame.image)
        if sector is not None and (news or self._echo is None):
            self.use(sector)
        if sector is None or self._echo is None:
            return self._withheld(frame, problem or news, started_ns)
        problem = self._echo.look(frame.image, frame.captured_ns / 1e9)
        if problem:
            return self._withheld(frame, problem, started_ns)
        self.analyser = self.analyser or self._new_analyser(sector)
        return self._analyse(self.analyser, frame, with_quality)

    def _withheld(self, frame: Captured, problem: str, started_ns: int) -> Finished:
        """No analysis, and why. What comes after it is another recording to beats and scores."""
        self.analyser = None
        self._guard.judged(problem)
        return Finished(frame, None, problem, started_ns, refined=self._frozen(frame, problem))

    def _frozen(self, frame: Captured, problem: str) -> Held | None:
        """The frozen picture refined: only of a sector that is known, and without flow in it."""
        sector = self.tracker.sector
        if self.refining is None:
            return None
        if (
            problem != FROZEN
            or sector is None
            or self._echo is None
            or self._echo.flow(frame.image, frame.captured_ns / 1e9)
        ):
            self.refining.forget()
            return None
        return self.refining.frozen(frame, sector.box)

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
        drift = self._drift(frame, analyser)
        notice = (self.heat.warning if self.heat else "") or drift
        if analysis.invalid:
            if self.refining is not None:
                self.refining.forget()
            return Finished(frame, None, problem, started_ns, notice)
        self.withheld[analysis.withheld.volume] += 1
        best = self.best.update(analysis, analyser.beats.candidates())
        refining, refined = self.refining, None
        if refining is not None:
            refined = refining.analysed(analysis, analyser.beats, self.best.confirmed, self.ladder.level == 0)
        return Finished(frame, analysis, problem, started_ns, notice, best, refined)

    def _drift(self, frame: Captured, analyser: Analyser) -> str:
        """The notice while the picture is unlike the calibration frames, "" else."""
        news = self._watch.look(frame.image, analyser.sector)
        if news is not None:
            self.drifts.append((frame.number, news))
            log.warning(
                "the picture is %s the calibration set: %.0f grey levels away, usual are up to %.0f",
                "unlike" if news.has_drifted else "again like",
                news.distance,
                news.threshold,
            )
        return UNLIKE if self._watch.drift else ""

    def recorded(self, frame: Captured) -> Finished:
        """Analyse one frame of a recording: no deadline, nothing left out, and no stillness, which pictures may have."""
        assert self._echo is not None
        assert self.tracker.sector is not None
        # A file has no moment of capture: its frames are as old as their analysis.
        now_ns = time.monotonic_ns()
        frame = replace(frame, captured_ns=now_ns)
        problem = self._echo.flow(frame.image, frame.time_s)
        if problem:
            return self._withheld(frame, problem, now_ns)
        self.analyser = self.analyser or self._new_analyser(self.tracker.sector)
        return self._analyse(self.analyser, frame, True)
