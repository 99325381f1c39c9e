"""Millimetres per pixel of a screen: who says so, and whether it can be.

Every scale is judged here, whatever its origin. Unknown rather than wrong: volumes grow with the cube of the scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.errors import SourceError
from edge.screen.scale import PLAUSIBLE_DEPTH_MM, Scale
from edge.screen.sector import Sector
from edge.stated import Stated

PIXEL_MM = (0.02, 3.0)
"""From a zoomed picture on a 4K screen to a whole one of 112 pixels."""
UNEQUAL = 1.1
"""Pixels are made square on reading: one axis that differs by more is an error."""
AGREE = 0.05
"""Share by which two scales may differ: 5 % in length are 15 % in volume, the limit of what EF is used for."""
MIN_APART_PX = 50
"""Two clicks are each a pixel or so off: 3 % at this distance."""
SAME_SECTOR, SAME_STEP = 0.9, 0.015
TYPED, PROFILE, CLICKED, TICKS, UNKNOWN = "typed in", "profile", "clicked", "ticks", "unknown"


@dataclass(frozen=True)
class Calibration:
    """(row, column) mm per pixel of the frame, None where unknown, and where it is from.

    `origin` is who states it ("DICOM region", "OpenIGTLink", "recording", "synthetic"), "typed in", "profile",
    "clicked", "ticks" or "unknown". `reason` says why a scale that was stated is not used, "" where none was refused;
    `conflict` which two disagree, by how much and what to do, "" where they agree: then nothing is known in mm.
    """

    spacing_mm: tuple[float, float] | None = None
    origin: str = UNKNOWN
    reason: str = ""
    conflict: str = ""


@dataclass(frozen=True)
class TypedDepth:
    """A depth in cm, and the picture that it was typed for: at another one it would be wrong, and be believed."""

    depth_cm: float
    sector: Sector
    step_px: float

    def holds_for(self, sector: Sector, scale: Scale) -> bool:
        """Whether sector and ticks are where they were."""
        if sector.mask.shape != self.sector.mask.shape or (scale.step_px > 0) != (self.step_px > 0):
            return False
        same = np.count_nonzero(sector.mask & self.sector.mask) / np.count_nonzero(sector.mask | self.sector.mask)
        return bool(same > SAME_SECTOR and abs(scale.step_px - self.step_px) <= SAME_STEP * self.step_px)


def problem_of(spacing_mm: tuple[float, float], sector: Sector) -> str:
    """ "" for (row, column) mm per pixel that a cardiac picture with this sector can have, else why it cannot."""
    if not all(math.isfinite(side) and side > 0 for side in spacing_mm):
        return f"{spacing_mm[0]:g} x {spacing_mm[1]:g} mm per pixel is no length"
    for side in spacing_mm:
        if not PIXEL_MM[0] <= side <= PIXEL_MM[1]:
            return f"{side:.3g} mm per pixel is not plausible ({PIXEL_MM[0]:g} to {PIXEL_MM[1]:g} is)"
    if max(spacing_mm) > UNEQUAL * min(spacing_mm):
        return f"{spacing_mm[0]:.3g} mm down and {spacing_mm[1]:.3g} mm across a pixel do not fit square pixels"
    depth_cm = spacing_mm[0] / sector.spacing_from_depth(1.0)[0]
    least, most = (limit / 10 for limit in PLAUSIBLE_DEPTH_MM)
    if not least <= depth_cm <= most:
        return (
            f"{spacing_mm[0]:.3g} mm per pixel would mean a depth of {depth_cm:.1f} cm "
            f"({least:g} to {most:g} are plausible)"
        )
    return ""


def calibrate(
    sector: Sector, scale: Scale, stated: Stated, depth_cm: float, depth_from: str = TYPED, insists: bool = False
) -> Calibration:
    """The scale that all who know one agree on: the source, a depth that was told (0 for none), ticks that are sure.

    `depth_from` is who told the depth. One that cannot be is passed over, and `reason` says so. Of those that can be,
    the first in this order is taken, unless two differ by more than AGREE: then there is none, and `conflict` says why.
    Where the operator `insists` on a depth, it alone counts.
    """
    offered: list[tuple[tuple[float, float], str]] = []
    refused = [f"{stated.by}: {stated.problem}"] if stated.problem else []
    if stated.spacing_mm is not None:
        offered.append((stated.spacing_mm, stated.by))
    if depth_cm:
        told = (sector.spacing_from_depth(depth_cm), depth_from)
        offered = [told] if insists else [*offered, told]
    if scale.sure and scale.mm_per_px is not None and not (insists and depth_cm):
        offered.append(((scale.mm_per_px, scale.mm_per_px), TICKS))
    can_be = []
    for spacing_mm, origin in offered:
        problem = problem_of(spacing_mm, sector)
        if problem:
            refused.append(f"{origin}: {problem}")
        else:
            can_be.append((spacing_mm, origin))
    conflict = _conflict(can_be, sector)
    if conflict:
        refused.append(conflict)
    if conflict or not can_be:
        return Calibration(None, UNKNOWN, "; ".join(refused), conflict)
    return Calibration(*can_be[0], "; ".join(refused))


def _conflict(offered: Sequence[tuple[tuple[float, float], str]], sector: Sector) -> str:
    """Which two scales differ most, in words, as the depths that they mean; "" where all agree."""
    if len(offered) < 2:
        return ""
    (low, lowest), (high, highest) = (pick(offered, key=lambda offer: offer[0][0]) for pick in (min, max))
    share = high[0] / low[0] - 1
    if share <= AGREE:
        return ""
    per_cm = sector.spacing_from_depth(1.0)[0]
    return (
        f"depth is {low[0] / per_cm:.1f} cm ({lowest}) but {high[0] / per_cm:.1f} cm ({highest}), {100 * share:.0f} % "
        "more: no mm; --depth-cm N! insists"
    )


def depth_from_points(
    first: tuple[float, float], second: tuple[float, float], distance_mm: float, sector: Sector
) -> float:
    """The imaging depth in cm that two points (x, y) in pixels at a known distance mean.

    Raises SourceError where they are too close to measure by, or where the depth would be none of an adult or a child.
    """
    apart_px = float(np.hypot(second[0] - first[0], second[1] - first[1]))
    if apart_px < MIN_APART_PX:
        raise SourceError(
            f"the points are {apart_px:.0f} px apart; take two at least {MIN_APART_PX} px apart, "
            "so that a pixel's error is small"
        )
    depth_cm = distance_mm / apart_px / sector.spacing_from_depth(1.0)[0]
    least, most = (limit / 10 for limit in PLAUSIBLE_DEPTH_MM)
    if not least <= depth_cm <= most:
        raise SourceError(
            f"{distance_mm:g} mm between these points would mean a depth of {depth_cm:.1f} cm; "
            f"from {least:g} to {most:g} are plausible: check the distance (in mm) and the points"
        )
    return depth_cm
