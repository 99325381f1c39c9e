"""Within the second stage: is there a picture, where is its sector, what are its millimetres from.

The screen is looked at here and left here: what goes on is cut to the sector, and black as long as none is known.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.preprocess import Frame
from edge.screen.calibration import TYPED, Calibration, TypedDepth, calibrate
from edge.screen.cut import Cutter
from edge.screen.kind import FROZEN, STILL_S, EchoWatch
from edge.screen.known import KnownScreen
from edge.screen.scale import PLAUSIBLE_DEPTH_MM
from edge.screen.sector import Sector
from edge.screen.setting import Decided, Setting
from edge.screen.tracker import SectorTracker
from edge.sources import Captured
from edge.stages.safety import SignalCheck
from edge.stages.shared import Shared

log = logging.getLogger(__name__)

ANOTHER_SCREEN = "ANOTHER SCREEN: this part of the recording is not shown and not measured"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one frame showed: `sector` to analyse within, or `problem`, why nothing may be analysed. With `is_new` what
    was known belongs to another sector.

    `frame` is the frame without its screen, cut to the sector, whose rectangle `extent` (x0, y0, x1, y1) is; black, and
    None, where it is not known. While the screen may be another one, the frame is `in_doubt`, and left out.
    """

    frame: Captured
    sector: Sector | None = None
    problem: str = ""
    is_new: bool = False
    extent: tuple[int, int, int, int] | None = None
    setting: Setting | None = None
    in_doubt: bool = False


DEPTH_CM, DEPTH_STEP_CM = 16.0, 0.5
"""The first depth that an operator is offered where none is known, and the steps from there."""


class Screening:
    """Looks at every frame before the networks do. `calibration` is that of the present sector, which is looked for
    with its probe at the bottom where the picture stands `upside_down`."""

    def __init__(self, shared: Shared, known: KnownScreen, upside_down: bool = False) -> None:
        self._source, self._limits, self._known = shared.source, shared.guard.limits, known
        self._signal = SignalCheck(self._limits)
        self._tracker = SectorTracker(shared.source.region, known.profile, upside_down)
        self._typed: TypedDepth | None = None
        self._echo: EchoWatch | None = None
        self._cutter: Cutter | None = None
        self._setting: Setting | None = None
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

    def turn_over(self, upside_down: bool) -> None:
        """Look for a sector that stands so from the next frame on."""
        self._tracker = SectorTracker(self._source.region, self._known.profile, upside_down)
        self._echo = self._cutter = None

    def step_depth(self, steps: int) -> str:
        """Take a depth for the operator's that is so many steps from the present one, or DEPTH_CM where none is known;
        what holds now, in words."""
        sector, spacing_mm = self.sector, self.calibration.spacing_mm
        if spacing_mm is not None and spacing_mm == self._stated.spacing_mm:
            return f"depth as of the {self.calibration.origin}"
        if sector is not None and spacing_mm is not None:
            now_cm = spacing_mm[0] / sector.spacing_from_depth(1.0)[0]
        else:
            now_cm = self._known.depth_cm
        steps_now = round(now_cm / DEPTH_STEP_CM) + steps if now_cm else round(DEPTH_CM / DEPTH_STEP_CM)
        least, most = (limit / 10 for limit in PLAUSIBLE_DEPTH_MM)
        depth_cm = min(max(steps_now * DEPTH_STEP_CM, least), most)
        self._known, self._typed = replace(self._known, depth_cm=depth_cm, depth_from=TYPED, insists=True), None
        if sector is not None:
            self._use(sector)
        return f"depth {depth_cm:g} cm, {TYPED}"

    def look(self, frame: Captured) -> Look:
        """One frame of a live signal."""
        now_s = frame.captured_ns / 1e9
        problem = self._signal.look(frame, now_s)
        if problem:
            return self._look(frame, self.sector, problem)
        sector, news = self._tracker.update(frame.image)
        if sector is None:
            return self._look(frame, None, news)
        stated = frame.stated or self._source.stated
        echo = self._echo if not news and stated == self._stated else None
        self._stated = stated
        is_new, echo = echo is None, echo or self._use(sector)
        found = self._look(frame, sector, echo.look(frame.image, now_s), is_new)
        return replace(found, in_doubt=self._tracker.in_doubt)

    def look_recorded(self, frame: Captured) -> Look:
        """One frame of a recording whose sector was found. It may stand still."""
        assert self._echo is not None
        if self._tracker.is_another_screen(frame.image):
            return self._look(frame, None, ANOTHER_SCREEN)
        return self._look(frame, self.sector, self._echo.flow(frame.image, frame.time_s))

    def look_again(self, frame: Captured, decided: Decided) -> Look:
        """One frame of which a recording holds the sector alone: what was decided when the screen was seen holds."""
        setting, is_new = decided.setting, False
        stated = frame.stated or self._source.stated
        if setting is not None and (setting is not self._setting or stated != self._stated):
            self._stated = stated
            sector, is_new = setting.sector(frame.image.shape[:2]), True
            self._tracker.resume(sector, setting.scale)
            self._use(sector, setting)
            self._setting = setting
        return self._look(frame, self.sector, decided.problem, is_new)

    def frozen_sector(self, frame: Captured, problem: str) -> Sector | None:
        """The sector of a frozen picture that shows no flow; None for any other problem."""
        if problem != FROZEN or self._echo is None or self._echo.flow(frame.image, frame.captured_ns / 1e9):
            return None
        return self.sector

    def _look(self, frame: Captured, sector: Sector | None, problem: str, is_new: bool = False) -> Look:
        """What is seen, without the screen."""
        cutter = None if sector is None or self._tracker.in_doubt else self._cutter
        image = np.zeros_like(frame.image) if cutter is None else cutter(frame.image)
        return Look(
            frame=replace(frame, image=image),
            sector=sector,
            problem=problem,
            is_new=is_new,
            extent=cutter.extent if cutter is not None else None,
            setting=self._setting,
        )

    def _use(self, sector: Sector, recorded: Setting | None = None) -> EchoWatch:
        """Calibrate and watch this sector from here on."""
        scale, typed_cm = self._tracker.scale, self._known.depth_cm
        self._typed = self._typed or TypedDepth(typed_cm, sector, scale.step_px)
        depth_cm, insists = typed_cm if self._typed.holds_for(sector, scale) else 0.0, self._known.insists
        if not depth_cm and recorded is not None:
            depth_cm, insists = recorded.depth_cm, recorded.insists
        self.calibration = calibrate(sector, scale, self._stated, depth_cm, self._known.depth_from, insists)
        if self.calibration.reason:
            log.warning("scale %s; refused: %s", self.calibration.origin, self.calibration.reason)
        if typed_cm and not depth_cm and self._stated.spacing_mm is None:
            log.warning("the screen has changed, the typed depth is not used any more: %s", self.calibration.origin)
        self._echo = EchoWatch(sector, max(STILL_S, self._limits.freeze_ms / 1000))
        self._cutter = Cutter(sector)
        self._setting = None
        if sector.fan is not None:
            self._setting = Setting(fan=sector.fan, scale=scale, depth_cm=depth_cm, insists=insists)
        return self._echo
