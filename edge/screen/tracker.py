"""Sector and scale over time: found once, kept while the screen stays as it is, found again when layout or depth
change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.preprocess import Frame, grey
from edge.screen.kind import layout_problem
from edge.screen.profile import Profile
from edge.screen.scale import Scale, TickWatch, find_scale
from edge.screen.sector import Sector, SectorFinder

LOCATE_FRAMES = 32
"""Frames that the sector is looked for on: about a second, so that a whole beat lights its dark parts up."""
SAMPLE_STEP = 5
CHANGED_GREY = 40
CHANGED_SHARE = 0.004
"""Share of the samples outside the sector that must differ from the reference: a clock's digits are less, a new depth
scale is more."""
ANOTHER_SHARE = 0.02
"""The same share above which a recording shows another screen."""
CHANGED_FRAMES = 3
CHANGED_LIT = 0.5
"""Share of the screen's lit blocks that come or go from one frame to the next: above it, it is another screen."""
LOOKING = "LOOKING FOR THE SECTOR: the screen's layout is new"
NO_SCALE = Scale(None, 0.0)


class SectorTracker:
    """Feed it every frame. `sector` is the present one, None while it is looked for; `scale` what its ticks say.

    `region` (x0, y0, x1, y1) is where the source says that the echo is; `profile` a known screen, whose sector is used
    where one is found in its place, and else refused. A picture that stands `upside_down` has its probe at the bottom.
    """

    def __init__(
        self,
        region: tuple[int, int, int, int] | None = None,
        profile: Profile | None = None,
        upside_down: bool = False,
    ) -> None:
        self.sector: Sector | None = None
        self.scale = NO_SCALE
        self.searches = 0
        self._region, self._profile, self._upside_down = region, profile, upside_down
        self._finder = SectorFinder()
        self._peak: Frame | None = None
        self._first: Frame | None = None
        self._shape: tuple[int, ...] = ()
        self._outside: NDArray[np.bool_] | None = None
        self._reference: NDArray[np.uint8] | None = None
        self._ticks: TickWatch | None = None
        self._changed = 0
        self._reason = LOOKING

    def resume(self, sector: Sector, scale: Scale) -> None:
        """Take what was found when the frames were captured; they are not looked at any more."""
        self.sector, self.scale = sector, scale
        self.searches += 1

    @property
    def in_doubt(self) -> bool:
        """Whether the newest frame's screen is not the one that the sector was found on: a passing flicker, or the
        first frame of another screen, which may have its text where the sector was."""
        return self._changed > 0

    def find(self, frames: Sequence[Frame]) -> Sector:
        """Find it on given frames at once. Raises SourceError where none is visible or something else is shown."""
        self._restart(frames[-1])
        for frame in frames:
            if frame.shape == self._shape:
                self._add(frame)
        problem = self._search(frames[-1])
        if self.sector is None:
            raise SourceError(problem)
        return self.sector

    def update(self, frame: Frame) -> tuple[Sector | None, str]:
        """(the sector, or None while looking; why it is missing, or "found" on the frame that found it)."""
        if frame.shape != self._shape:
            self._restart(frame)
        if self.sector is not None:
            if not self._layout_changed(frame):
                return self.sector, ""
            self._restart(frame)
        self._add(frame)
        if self._finder.frames < LOCATE_FRAMES:
            return None, self._reason
        first = self._first
        assert first is not None
        problem = self._search(frame)
        if not problem and self._differs(first):
            problem = LOOKING  # depth or layout changed meanwhile, and scale or sector may be of both
        if problem:
            self._restart(frame)
            self._reason = problem  # until the next look at the screen is complete
            return None, problem
        return self.sector, "found"

    def _add(self, frame: Frame) -> None:
        """One more frame to look for the sector on. Two screens on top of each other would give a sector of neither."""
        upright = np.ascontiguousarray(frame[::-1]) if self._upside_down else frame
        self._finder.add(upright)
        if self._finder.changed > CHANGED_LIT:
            self._restart(frame)
            self._finder.add(upright)
        if self._first is None:
            self._first = frame.copy()
        level = grey(frame)
        self._peak = level.copy() if self._peak is None else np.maximum(self._peak, level, out=self._peak)

    def _restart(self, frame: Frame) -> None:
        if self._shape and frame.shape != self._shape:
            self._region = None  # a region is given for one size
        self.sector, self.scale, self._reason = None, NO_SCALE, LOOKING
        self._finder, self._peak, self._first, self._ticks = SectorFinder(self._upright_region(frame)), None, None, None
        self._changed = 0
        self._shape = frame.shape

    def _upright_region(self, frame: Frame) -> tuple[int, int, int, int] | None:
        if self._region is None or not self._upside_down:
            return self._region
        x0, y0, x1, y1 = self._region
        return x0, len(frame) - y1, x1, len(frame) - y0

    def _search(self, frame: Frame) -> str:
        """Set sector and scale from the frames added, or say why there is none."""
        try:
            sector = self._finder.find()
        except SourceError as error:
            return f"NO SECTOR: {error}"
        assert self._peak is not None
        problem = layout_problem(self._finder, sector)
        if problem:
            return problem
        if self._upside_down:
            sector = sector.upside_down()
        if self._profile is not None:
            problem = self._profile.problem(sector)
            if problem:
                return problem
            sector = self._profile.sector()
        self.sector, self._changed = sector, 0
        self.scale = find_scale(self._peak, sector, self._profile.tick_mm if self._profile else 0.0)
        self._peak = self._first = None
        self._ticks = TickWatch(frame, self.scale, sector) if self.scale.sure else None
        self.searches += 1
        self._outside = ~sector.mask[::SAMPLE_STEP, ::SAMPLE_STEP]
        self._reference = _samples(frame)[self._outside]
        return ""

    def _layout_changed(self, frame: Frame) -> bool:
        self._changed = self._changed + 1 if self._differs(frame) else 0
        return self._changed >= CHANGED_FRAMES

    def _differs(self, frame: Frame) -> bool:
        """Whether outside the sector a frame is unlike the one that the sector was found on, or has other ticks."""
        moved = self._ticks is not None and self._ticks.has_moved(frame)
        return moved or self._changed_share(frame) > CHANGED_SHARE

    def is_another_screen(self, frame: Frame) -> bool:
        """Whether a frame (of any size) of a recording shows another screen than the one that the sector was found on.

        A recording's sector is looked for only once: smaller changes, such as a trace that runs, must not count.
        """
        return frame.shape != self._shape or self._changed_share(frame) > ANOTHER_SHARE

    def _changed_share(self, frame: Frame) -> float:
        """Share of the samples outside the sector that are unlike those of the frame that it was found on."""
        assert self._reference is not None
        assert self._outside is not None
        now = _samples(frame)[self._outside]
        return float((np.abs(now.astype(np.int16) - self._reference) > CHANGED_GREY).mean())


def _samples(frame: Frame) -> NDArray[np.uint8]:
    """Every SAMPLE_STEPth pixel's green or grey."""
    return frame[::SAMPLE_STEP, ::SAMPLE_STEP, 1] if frame.ndim == 3 else frame[::SAMPLE_STEP, ::SAMPLE_STEP]
