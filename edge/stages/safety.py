"""When nothing may be drawn over the picture, and why: the guard that every thread of the loop reports to.

docs/safety.md lists the triggers and the times. The guard knows no threads and no clock: times are passed in, monotonic
ns.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import Frame
from edge.screen.kind import FROZEN
from edge.sources import Captured

SAMPLE_STEP = 7
"""Every SAMPLE_STEP-th row and column is looked at; a prime, so that it never falls into step with a screen's raster.
"""
BLACK = 12
"""A picture whose brightest sample is at most this shows nothing; an analogue grabber's black reaches 10."""
NS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long (ms) each state may last before the overlay goes.

    `signal_ms` without a frame, `freeze_ms` with bit-identical pictures, `stuck_ms` for one inference, `age_ms` from
    the capture to the drawing of a frame; `recover_frames` good frames in a row bring the overlay back.
    """

    signal_ms: float = 150.0
    freeze_ms: float = 150.0
    stuck_ms: float = 150.0
    age_ms: float = 200.0
    recover_frames: int = 5

    def for_rate(self, fps: float) -> Limits:
        """The same with at least two and a half frames of a slow source between two looks."""
        period_ms = 2500.0 / max(fps, 1.0)
        return replace(self, signal_ms=max(self.signal_ms, period_ms), freeze_ms=max(self.freeze_ms, period_ms))


class SignalCheck:
    """Is there a picture, and does it move? One thread looks at every frame."""

    def __init__(self, limits: Limits) -> None:
        self._freeze_s = limits.freeze_ms / 1000
        self._sample: NDArray[np.uint8] | None = None
        self._moved_s = 0.0
        self._shape: tuple[int, ...] = ()

    def look(self, frame: Captured, now_s: float) -> str:
        """ "" for a living picture, else what is wrong. `now_s` is the capture's time, the source's for recordings."""
        view = frame.image[::SAMPLE_STEP, ::SAMPLE_STEP]
        if frame.image.shape != self._shape:
            self._shape, self._sample = frame.image.shape, None
        if self._sample is None:
            self._sample, self._moved_s = view.copy(), now_s
        elif not np.array_equal(view, self._sample):
            np.copyto(self._sample, view)
            self._moved_s = now_s
        if int(view.max()) <= BLACK:
            return "BLACK PICTURE: check the scanner's video output"
        if _is_one_colour(view):
            return "NO PICTURE: the grabber shows its no-signal screen"
        if now_s - self._moved_s >= self._freeze_s:
            return FROZEN
        return ""


def _is_one_colour(view: Frame) -> bool:
    """Whether a picture is a single colour, as grabbers show without a signal."""
    _, deviation = cv2.meanStdDev(np.ascontiguousarray(view))
    return bool(deviation.max() < 1.0)


class Guard:
    """Decides between live and safe, with hysteresis. Any thread may report; `state` answers the watchdog."""

    def __init__(self, limits: Limits, live: bool) -> None:
        self.limits, self.live = limits, live
        self._lock = threading.Lock()
        self._captured_ns: int | None = None
        self._started_ns: int | None = None
        self._problem = ""
        self._good = limits.recover_frames
        self._reason = ""
        self.trips: dict[str, int] = {}

    def captured(self, now_ns: int) -> None:
        """A frame came."""
        with self._lock:
            self._captured_ns = now_ns

    def source_ended(self) -> None:
        """No frame will come any more, and none is missed."""
        with self._lock:
            self._captured_ns = None

    def inference_started(self, now_ns: int) -> None:
        with self._lock:
            self._started_ns = now_ns

    def inference_ended(self) -> None:
        with self._lock:
            self._started_ns = None

    def judged(self, problem: str) -> None:
        """What the processing of one frame came to: "" for good, else the reason why its overlay must not be shown."""
        with self._lock:
            self._problem = problem
            self._good = 0 if problem else self._good + 1

    def state(self, now_ns: int, status: str = "") -> str:
        """ "" when overlays may be shown, else the banner's text. Words before the colon are the trigger's name."""
        with self._lock:
            reason = self._trigger(now_ns, status)
            if reason:
                self._good = 0
            elif self._reason and self._good < self.limits.recover_frames:
                reason = self._reason
            if reason and reason.split(":")[0] != self._reason.split(":")[0]:
                trigger = reason.split(":")[0].lower()
                self.trips[trigger] = self.trips.get(trigger, 0) + 1
            self._reason = reason
            return reason

    def _trigger(self, now_ns: int, status: str) -> str:
        if self.live and self._captured_ns is not None:
            silent_ms = (now_ns - self._captured_ns) / NS
            if silent_ms > self.limits.signal_ms:
                return f"NO SIGNAL: {status or 'no frame comes; check the cable and the scanner'}"
        if self.live and self._started_ns is not None:
            running_ms = (now_ns - self._started_ns) / NS
            if running_ms > self.limits.stuck_ms:
                return f"ANALYSIS STUCK: one inference takes more than {self.limits.stuck_ms:.0f} ms"
        return self._problem
