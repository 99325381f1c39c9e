"""Beside the stages: key frames refined by the distilled Echo-DND, at lower priority than the frame loop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from edge.errors import EchoEdgeError
from edge.heart.analysis import Analysis
from edge.heart.beats import BeatDetector
from edge.preprocess import Box
from edge.refine.keyframe import ASKED, FROZEN_FRAME, PLAIN, Held, KeyFrame, RefinedFrames
from edge.refine.refiner import SAMPLES, Refiner, open_refiner
from edge.refine.volumes import MIN_SAMPLES
from edge.sources import Captured
from edge.stages.shared import Shared, reason_of
from edge.threads.mailbox import Mailbox
from edge.threads.realtime import make_background

log = logging.getLogger(__name__)

BUDGET_MS = 1000.0
"""No sample of a live frame is begun later than this after the first: the beat is over by then."""


@dataclass(frozen=True)
class Refine:
    """What is refined, and by which model. It must have been opened with one thread: that one is the lane's own.

    Key frames are ED, ES, the frame of a frozen screen, and what is asked for; with `every_frame` all others as well,
    a live signal's as far as time allows.
    """

    refiner: Refiner
    samples: int = SAMPLES
    every_frame: bool = False


@contextmanager
def opened_refine(
    mode: str, folder: str, samples: int = SAMPLES, allow_failed_gate: bool = False
) -> Iterator[Refine | None]:
    """What `--refine` asks for: None for "off". On a CPU always, whatever the frame loop runs on.

    Raises EchoEdgeError for too few samples to say anything of uncertainty, ModelError where the model is missing.
    """
    if mode == "off":
        yield None
        return
    if samples < MIN_SAMPLES:
        raise EchoEdgeError(f"--refine-samples {samples} cannot show uncertainty; give at least {MIN_SAMPLES}")
    with open_refiner(folder, threads=1, allow_failed_gate=allow_failed_gate) as refiner:
        yield Refine(refiner, samples, mode == "always")


class Refining:
    """The refine lane. Of a live signal the newest key frame wins and the frame loop never waits; a recording waits for
    every result, so that its own repeat. A lane that fails stops with its reason, and the run goes on without."""

    def __init__(self, refine: Refine, shared: Shared) -> None:
        self.frames = RefinedFrames()
        self.mailbox: Mailbox[KeyFrame] = Mailbox(1, newest_wins=shared.live)
        self._refine, self._shared, self._live = refine, shared, shared.live
        self._beats: BeatDetector | None = None
        self._frozen = False
        self._asked, self._answered = threading.Event(), threading.Event()
        self._offered = self._taken = 0
        self._thread = threading.Thread(target=self._run, name="refine", daemon=True)

    def __enter__(self) -> Refining:
        self._thread.start()
        return self

    def ask(self) -> None:
        """Refine the next analysed frame; any thread may call."""
        self._asked.set()

    def analysed(
        self, analysis: Analysis, beats: BeatDetector, confirmed: Analysis | None, has_time: bool = True
    ) -> Held | None:
        """One frame of the loop: hand over what is to be refined, and say what may be shown beside it.

        `beats` is the detector at work, another one after a change of scene or view; `confirmed` the ED or ES frame
        that the analysis' event names. Where the loop has no time to spare, only what is asked for is refined.
        """
        if beats is not self._beats:
            self.forget()
            self._beats = beats
        if has_time and analysis.event is not None and confirmed is not None:
            self._offer(analysis.event.kind, confirmed.frame, confirmed.box, confirmed)
        if self._asked.is_set():
            self._asked.clear()
            self._offer(ASKED, analysis.frame, analysis.box, analysis)
        elif has_time and self._refine.every_frame and self._is_idle():
            self._offer(PLAIN, analysis.frame, analysis.box, analysis)
        return self.frames.at(analysis.frame, beats.confirmed)

    def frozen(self, frame: Captured, box: Box) -> Held | None:
        """One frame of a frozen screen, the first of which is refined."""
        if not self._frozen:
            self.forget()
            self._frozen = True
            self._offer(FROZEN_FRAME, frame, box, None)
        return self.frames.at(frame, 0)

    def forget(self) -> None:
        """Signal, sector or scene are lost: what is known belongs to nothing on the screen any more."""
        self._frozen, self._beats = False, None
        self.frames.forget()

    def _is_idle(self) -> bool:
        """Whether nothing waits or is computed, so that a plain frame takes no key frame's place."""
        return self._offered == self._taken + self.mailbox.dropped

    def _offer(self, kind: str, frame: Captured, box: Box, analysis: Analysis | None) -> None:
        order = self._beats.confirmed if self._beats is not None else 0
        self._offered += 1
        self._answered.clear()
        if self.mailbox.put(KeyFrame(kind, frame, box, analysis, order, self.frames.scene)) and not self._live:
            self._answered.wait()

    def _run(self) -> None:
        make_background("refine")
        try:
            for key in self.mailbox:
                self._work(key)
                self._taken += 1
                self._answered.set()
        except Exception as error:
            self.mailbox.close()
            self._shared.stop("key frames", error)
            log.error("refining stopped, the run goes on: %s", reason_of(error))
        finally:
            self._answered.set()

    def _work(self, key: KeyFrame) -> None:
        until_ns = time.monotonic_ns() + round(BUDGET_MS * 1e6) if self._live else None
        with self._shared.clock.time("refine"):
            image = np.asarray(key.frame.image, np.uint8)
            found = self._refine.refiner(image, key.box, self._refine.samples, key.frame.number, until_ns)
        if np.isfinite(found.samples).all():
            self.frames.put(key, found)
        else:
            log.warning("frame %d is not refined: the model does not give finite numbers", key.frame.number)

    def __exit__(self, *_: object) -> None:
        """End the thread; a key frame that it is at is the last."""
        self.mailbox.close()
        self._thread.join()
