"""Second stage: frames to analyses."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from queue import SimpleQueue

from edge.heart.analysis import Analyser, Analysis
from edge.heart.best import BestFrames
from edge.heart.plane import UPRIGHT, Turn
from edge.heart.record import HeartRecord
from edge.heart.regions import WALLS
from edge.jetson.heat import HeatWatch
from edge.nets.drift import Drift, DriftWatch
from edge.nets.model import QualityScorer, Segmenter
from edge.refine.keyframe import Held
from edge.screen.sector import Sector
from edge.screen.setting import Decided
from edge.sources import Captured
from edge.stages.finished import Finished
from edge.stages.ladder import Ladder, Rung
from edge.stages.recording import Recording
from edge.stages.refining import Refining
from edge.stages.screening import Look, Screening
from edge.stages.shared import Shared, reason_of

log = logging.getLogger(__name__)

UNLIKE = "picture unlike calibration"
TOLD_S = 3.0
"""How long the picture says what a key did."""
SCORES_S = 1.0
"""Seen this seldom a picture's quality is old; edge/heart/analysis.py takes it away a second later."""


class Inference:
    """One frame after the other: what the screen shows, what the networks say, what it costs.

    `refining`, `recording` and `heat` work beside it where they are wanted. `deadline_ms` is the time a live frame may
    take before service is cut; 0 takes the source's frame period. `shows_screen`: local windows are given the screen.
    `heart` is the first patient's record, None for a new one.
    """

    def __init__(
        self,
        shared: Shared,
        *,
        segmenter: Segmenter,
        scorer: QualityScorer,
        screening: Screening,
        view: str,
        insists: bool = False,
        turn: Turn | None = None,
        deadline_ms: float,
        shows_screen: bool = False,
        refining: Refining | None = None,
        recording: Recording | None = None,
        heat: HeatWatch | None = None,
        heart: HeartRecord | None = None,
    ) -> None:
        self._guard, self._clock = shared.guard, shared.clock
        self._segmenter, self._scorer, self._given_view, self._view = segmenter, scorer, view, view
        self._patient, self._shows_screen = 0, shows_screen
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._insists, self._given_turn, self._turn = insists, turn, turn
        self._told, self._told_until_s = "", 0.0
        self.screening, self.refining, self.recording, self._heat = screening, refining, recording, heat
        self.ladder = Ladder(deadline_ms or 1000 / max(shared.source.fps, 1.0))
        self.analyser: Analyser | None = None
        self.record = heart or HeartRecord()
        """What is known of this patient: it outlives the analyser, which a freeze or another sector ends."""
        self.best = BestFrames()
        self.withheld: Counter[str] = Counter()
        self.not_analysed: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.processed = self.skipped = 0
        self.drifts: list[tuple[int, Drift]] = []
        """Numbers of the frames with which a warning began or ended, and what was found."""
        self._drift_watch = DriftWatch(segmenter.manifest.grey_levels)
        self._captured_ns = 0
        self._scored_number, self._scored_s = -sys.maxsize, 0.0

    def process(self, frame: Captured) -> Finished | None:
        """Analyse one frame of a live signal; None where it is left out to keep up."""
        started_ns = time.monotonic_ns()
        self.ladder.floor = self._heat.level if self._heat else 0
        rung = self.ladder.rung
        self.processed += 1
        replayed = frame.decided
        if replayed is None and rung.frame_every > 1 and self.processed % rung.frame_every:
            self.skipped += 1
            return None
        gap_ms, self._captured_ns = (frame.captured_ns - self._captured_ns) / 1e6, frame.captured_ns
        if self.refining is not None and gap_ms > self._guard.limits.signal_ms:
            self.refining.forget()
        if replayed is not None:
            self._take_over(replayed)
            return self._looked_at(frame, self.screening.look_again(frame, replayed), replayed, started_ns)
        self._obey()
        look = self.screening.look(frame)
        if look.in_doubt:  # a moment later it is the known screen again, or another one
            return None
        decided = self._decided(look, self._scores_are_due(frame, rung), bool(rung.quality_every))
        return self._looked_at(frame, look, decided, started_ns)

    def next_view(self) -> None:
        """Take the next view for the operator's; after the last none, where none was given. Any thread may call."""
        self._asked.put(self._next_view)

    def use_view(self, view: str) -> None:
        """Take this view for the operator's, "" for the recognised one, from the next frame on; any thread may call."""
        self._asked.put(partial(self._use_view, view))

    def mirror(self) -> None:
        """Take the picture for mirrored left to right, or no longer; any thread may call."""
        self._asked.put(partial(self._turn_by, Turn(mirrored=True)))

    def turn_over(self) -> None:
        """Take the picture for upside down, or no longer; any thread may call."""
        self._asked.put(partial(self._turn_by, Turn(upside_down=True)))

    def step_depth(self, steps: int) -> None:
        """Another imaging depth, by so many steps of half a centimetre; any thread may call."""
        self._asked.put(partial(self._step_depth, steps))

    def finish(self) -> None:
        """The recording has ended: its last beat counts."""
        if self.analyser is not None:
            self.analyser.finish()

    def new_patient(self) -> None:
        """Forget beats, biplane and best frames: they are another patient's; any thread may call."""
        self._asked.put(self._new_patient)

    def _use_view(self, view: str) -> None:
        self._begin(view, self._patient, self._turn)

    def _turn_by(self, change: Turn) -> None:
        now = self.analyser.turn if self.analyser is not None else self._turn or UPRIGHT
        turn = now.then(change)
        if change.upside_down and self._guard.live:
            self.screening.turn_over(turn.upside_down)
        self._begin(self._view, self._patient, turn)
        self._tell(f"picture taken as {str(turn) or 'upright'}")

    def _step_depth(self, steps: int) -> None:
        """What was measured with another depth is void."""
        self._tell(self.screening.step_depth(steps))
        self.record, self.best, self.analyser = HeartRecord(), BestFrames(), None

    def _tell(self, words: str) -> None:
        log.info("%s", words)
        self._told, self._told_until_s = words, time.monotonic() + TOLD_S

    def _next_view(self) -> None:
        views = tuple(WALLS) if self._given_view else ("", *WALLS)
        self._begin(views[(views.index(self._view) + 1) % len(views)], self._patient, self._turn)

    def _new_patient(self) -> None:
        self._begin(self._view, self._patient + 1, self._turn)

    def _obey(self) -> None:
        """Do what was asked for since the last frame."""
        while not self._asked.empty():
            self._asked.get()()

    def _take_over(self, replayed: Decided) -> None:
        """A view or a turn that is given now wins over that of the recorded run."""
        self._begin(self._given_view or replayed.view, replayed.patient, self._given_turn or replayed.turn)

    def _begin(self, view: str, patient: int, turn: Turn | None) -> None:
        """Another view, patient or turn: scores start afresh, no beat spans the two, another patient has none."""
        if (view, patient, turn) == (self._view, self._patient, self._turn):
            return
        if patient != self._patient:
            self.record, self.best = HeartRecord(), BestFrames()
            if self.refining is not None:
                self.refining.forget()
        self._view, self._patient, self._turn, self.analyser = view, patient, turn, None
        self.best.restart()

    def _decided(self, look: Look, quality: bool, keeps_scores: bool) -> Decided:
        return Decided(
            problem=look.problem,
            quality=quality,
            keeps_scores=keeps_scores,
            view=self._view,
            patient=self._patient,
            setting=look.setting,
            turn=self._turn,
        )

    def _scores_are_due(self, frame: Captured, rung: Rung) -> bool:
        """Whether the quality net sees this frame: counted from the last one that it saw, since frames are left out by
        other counts, in step with which it might never run; and at least every SCORES_S."""
        frames, seconds = frame.number - self._scored_number, frame.time_s - self._scored_s
        is_due = not (0 <= frames < rung.quality_every and 0 <= seconds < SCORES_S)
        if not rung.quality_every or not is_due:
            return False
        self._scored_number, self._scored_s = frame.number, frame.time_s
        return True

    def recorded(self, frame: Captured) -> Finished:
        """Analyse one frame of a recording: no deadline, nothing left out."""
        # A file has no moment of capture: its frames are as old as their analysis.
        now_ns = time.monotonic_ns()
        frame = replace(frame, captured_ns=now_ns)
        self._obey()
        look = self.screening.look_recorded(frame)
        return self._looked_at(frame, look, self._decided(look, True, True), now_ns)

    def _looked_at(self, frame: Captured, look: Look, decided: Decided, started_ns: int) -> Finished:
        """From here on there is no screen, but for a window that is to show it."""
        if self.recording is not None:
            self.recording.mailbox.put((look.frame, decided))
        if look.is_new:  # beats and scores start afresh
            self.analyser = None
            self.best.restart()
        if look.sector is None or look.problem:
            finished = self._not_analysed(look.frame, look.problem, started_ns)
        else:
            self.analyser = self.analyser or self._new_analyser(look.sector)
            finished = self._analyse(self.analyser, look.frame, decided)
        screen = frame.image if self._shows_screen else None
        return replace(finished, extent=look.extent, patient=self._patient, screen=screen)

    def _new_analyser(self, sector: Sector) -> Analyser:
        return Analyser(
            self._segmenter,
            self._scorer,
            sector,
            self.screening.calibration,
            self._clock,
            self._view,
            self.record,
            self._insists,
            self._turn,
        )

    def _not_analysed(self, frame: Captured, problem: str, started_ns: int) -> Finished:
        """No analysis, and why. What comes after it is another recording to beats and scores."""
        self.analyser = None
        self.not_analysed[problem] += 1
        self._guard.judged(problem)
        refined = self._frozen(frame, problem)
        return Finished(frame=frame, banner=problem, started_ns=started_ns, refined=refined)

    def _frozen(self, frame: Captured, problem: str) -> Held | None:
        """The frozen picture refined: only of a sector that is known, and without flow in it."""
        if self.refining is None:
            return None
        sector = self.screening.frozen_sector(frame, problem)
        if sector is None:
            self.refining.forget()
            return None
        return self.refining.frozen(frame, sector.box)

    def _analyse(self, analyser: Analyser, frame: Captured, decided: Decided) -> Finished:
        started_ns = time.monotonic_ns()
        self._guard.inference_started(started_ns)
        try:
            analysis = analyser.analyse(frame, decided.quality, decided.keeps_scores)
        except Exception as error:  # of a backend; the picture goes on
            return self._failed(frame, error, started_ns)
        finally:
            self._guard.inference_ended()
        ended_ns = time.monotonic_ns()
        problem = analysis.invalid
        if self._guard.live and not problem and (ended_ns - frame.captured_ns) / 1e6 > self._guard.limits.age_ms:
            problem = f"RESULT TOO OLD: more than {self._guard.limits.age_ms:.0f} ms after its frame"
        self._guard.judged(problem)
        if self._guard.live:
            self._observe(frame, (ended_ns - started_ns) / 1e6)
        drift = self._drift(frame, analyser)
        told = self._told if started_ns / 1e9 < self._told_until_s else ""
        notice = told or (self._heat.warning if self._heat else "") or drift
        finished = Finished(frame=frame, banner=problem, started_ns=started_ns, notice=notice)
        if analysis.invalid:
            self.not_analysed[problem] += 1
            if self.refining is not None:
                self.refining.forget()
            return finished
        return self._measured(finished, analyser, analysis)

    def _failed(self, frame: Captured, error: Exception, started_ns: int) -> Finished:
        """A network that raised: this frame is not analysed, the next one is tried."""
        if not self.failures:
            log.error("frame %d cannot be analysed, the next one is tried: %s", frame.number, error)
            log.debug("frame %d", frame.number, exc_info=error)
        self.failures[reason_of(error)] += 1
        return self._not_analysed(frame, f"ANALYSIS FAILED: {reason_of(error)}", started_ns)

    def _measured(self, finished: Finished, analyser: Analyser, analysis: Analysis) -> Finished:
        """What the run keeps of a valid analysis, and what may be shown beside it."""
        self.withheld[analysis.withheld.volume] += 1
        best = self.best.update(analysis, analyser.beats.candidates())
        refined = None
        if self.refining is not None:
            has_time = self.ladder.level == 0
            refined = self.refining.analysed(analysis, analyser.beats, self.best.confirmed, has_time)
        return replace(finished, analysis=analysis, best=best, refined=refined)

    def _observe(self, frame: Captured, cost_ms: float) -> None:
        """Cut or restore service by what a live frame took."""
        step = self.ladder.observe(frame.number, cost_ms)
        if step is not None:
            what = "cut" if step.down else "restored"
            log.warning("service %s: %s (a frame took %.0f ms)", what, step.rung.name, step.cost_ms)

    def _drift(self, frame: Captured, analyser: Analyser) -> str:
        """The notice while the picture is unlike the calibration frames, "" else."""
        news = self._drift_watch.look(frame.image, analyser.sector)
        if news is not None:
            self.drifts.append((frame.number, news))
            log.warning(
                "the picture is %s the calibration set: %.0f grey levels away, usual are up to %.0f",
                "unlike" if news.has_drifted else "again like",
                news.distance,
                news.threshold,
            )
        return UNLIKE if self._drift_watch.drift else ""
