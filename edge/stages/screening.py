"""Within the second stage: is there a picture, where is its sector, what are its millimetres from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from edge.preprocess import Frame
from edge.screen.calibration import Calibration, TypedDepth, calibrate
from edge.screen.kind import FROZEN, STILL_S, EchoWatch
from edge.screen.known import KnownScreen
from edge.screen.sector import Sector
from edge.screen.tracker import SectorTracker
from edge.sources import Captured
from edge.stages.safety import SignalCheck
from edge.stages.shared import Shared

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one frame showed: `sector` to analyse within, or `problem`, why nothing may be analysed. With `is_new` what
    was known belongs to another sector."""

    sector: Sector | None = None
    problem: str = ""
    is_new: bool = False


class Screening:
    """Looks at every frame before the networks do. `calibration` is that of the present sector."""

    def __init__(self, shared: Shared, known: KnownScreen) -> None:
        self._source, self._limits, self._known = shared.source, shared.guard.limits, known
        self._signal = SignalCheck(self._limits)
        self._tracker = SectorTracker(shared.source.region, known.profile)
        self._typed: TypedDepth | None = None
        self._echo: EchoWatch | None = None
        self._stated = shared.source.stated
        self.calibration = Calibration()

    @property
    def sector(self) -> Sector | None:
        """The present one; None while it is looked for."""
        return self._tracker.sector

    def find(self, frames: Sequence[Frame]) -> None:
        """Find the sector of a recording. Raises SourceError where there is none."""
        self._stated = self._source.stated
        self._use(self._tracker.find(frames))

    def look(self, frame: Captured) -> Look:
        """One frame of a live signal."""
        now_s = frame.captured_ns / 1e9
        problem = self._signal.look(frame, now_s)
        if problem:
            return Look(problem=problem)
        sector, news = self._tracker.update(frame.image)
        if sector is None:
            return Look(problem=news)
        stated = frame.stated or self._source.stated
        echo = self._echo if not news and stated == self._stated else None
        self._stated = stated
        is_new, echo = echo is None, echo or self._use(sector)
        return Look(sector=sector, problem=echo.look(frame.image, now_s), is_new=is_new)

    def look_recorded(self, frame: Captured) -> Look:
        """One frame of a recording whose sector was found. It may stand still."""
        assert self._echo is not None
        return Look(sector=self.sector, problem=self._echo.flow(frame.image, frame.time_s))

    def frozen_sector(self, frame: Captured, problem: str) -> Sector | None:
        """The sector of a frozen picture that shows no flow; None for any other problem."""
        if problem != FROZEN or self._echo is None or self._echo.flow(frame.image, frame.captured_ns / 1e9):
            return None
        return self.sector

    def _use(self, sector: Sector) -> EchoWatch:
        """Calibrate and watch this sector from here on."""
        scale, typed_cm = self._tracker.scale, self._known.depth_cm
        self._typed = self._typed or TypedDepth(typed_cm, sector, scale.step_px)
        depth_cm = typed_cm if self._typed.holds_for(sector, scale) else 0.0
        self.calibration = calibrate(sector, scale, self._stated, depth_cm, self._known.depth_from)
        if self.calibration.reason:
            log.warning("scale %s; refused: %s", self.calibration.origin, self.calibration.reason)
        if typed_cm and not depth_cm and self._stated.spacing_mm is None:
            log.warning("the screen has changed, the typed depth is not used any more: %s", self.calibration.origin)
        self._echo = EchoWatch(sector, max(STILL_S, self._limits.freeze_ms / 1000))
        return self._echo
