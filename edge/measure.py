"""Left-ventricular measurements from masks: area, length, single-plane volume, ED and ES, ejection fraction."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.regions import LV, Regions

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]

DISCS = 20
MIN_SWING = 0.08
"""A beat changes the LV area by at least this share of its mean; less is noise."""
REFERENCE_SWING = 0.35
"""An extremum is confirmed once the curve has come back by this share of the range."""
WINDOW = 300
MAX_EVENTS = 256


@dataclass(frozen=True)
class Ventricle:
    """One frame's LV: area in cm2, long-axis length in mm, volume in ml; all None where mm per pixel is unknown.

    `area_px` counts frame pixels and is always there. `diameters_mm` are those of the volume's DISCS discs, from the base up.
    """

    area_px: float
    area_cm2: float | None = None
    length_mm: float | None = None
    volume_ml: float | None = None
    diameters_mm: Points | None = None


def measure_ventricle(mask: Mask, regions: Regions | None, spacing_mm: tuple[float, float] | None) -> Ventricle:
    """Measure a mask (HxW uint8) with pixel spacing (row, column) in mm of that mask; regions give annulus and apex."""
    area_px = float(np.count_nonzero(mask == LV))
    if spacing_mm is None:
        return Ventricle(area_px)
    area_cm2 = area_px * spacing_mm[0] * spacing_mm[1] / 100
    if regions is None:
        return Ventricle(area_px, area_cm2)
    scale = np.array((spacing_mm[1], spacing_mm[0]))
    length_mm, diameters_mm = disc_diameters(
        regions.endocardium * scale, np.array(regions.annulus) * scale, np.array(regions.apex) * scale
    )
    volume_ml = biplane_volume(length_mm, diameters_mm, diameters_mm)
    return Ventricle(area_px, area_cm2, length_mm, volume_ml, diameters_mm)


def disc_volume(endocardium: Points, annulus: Points, apex: Points) -> tuple[float, float]:
    """(long-axis length in mm, volume in ml) by the single-plane method of discs: both planes of `biplane_volume` are this one.

    Points are (x, y) in mm; the endocardium runs from one annulus point over the apex to the other.
    """
    length_mm, diameters_mm = disc_diameters(endocardium, annulus, apex)
    return length_mm, biplane_volume(length_mm, diameters_mm, diameters_mm)


def biplane_volume(length_mm: float, one_mm: Points, other_mm: Points) -> float:
    """LV volume in ml by the method of discs (Simpson): V = pi/4 sum(a b) L/n with the diameters of n = 20 discs in two planes.

    length_mm is the longer of the planes' long axes (Lang et al. 2015, ASE/EACVI).
    """
    return float(np.pi / 4 * (one_mm * other_mm).sum() * length_mm / DISCS / 1000)


def disc_diameters(endocardium: Points, annulus: Points, apex: Points) -> tuple[float, Points]:
    """(long-axis length in mm, diameters in mm of DISCS discs across it, from the middle of the annulus to the apex).

    Points are (x, y) in mm; the endocardium runs from one annulus point over the apex to the other.
    """
    base = annulus.mean(0)
    axis = apex - base
    length = float(np.hypot(*axis))
    if length == 0:
        return 0.0, np.zeros(DISCS)
    axis = axis / length
    across = np.array((-axis[1], axis[0]))
    along, offset = (endocardium - base) @ axis, (endocardium - base) @ across
    at_apex = int(np.argmax(along))
    levels = (np.arange(DISCS) + 0.5) / DISCS * length
    sides = []
    for part in (np.s_[: at_apex + 1], np.s_[at_apex:]):
        order = np.argsort(along[part], kind="stable")
        sides.append(np.interp(levels, along[part][order], offset[part][order]))
    return length, np.abs(sides[1] - sides[0])


@dataclass(frozen=True)
class Event:
    """End-diastole ("ED") or end-systole ("ES"): frame number, area as given and volume in ml where it is known."""

    kind: str
    frame: int
    area: float
    volume_ml: float | None


class BeatDetector:
    """ED (largest) and ES (smallest area) from the area curve alone, frame by frame, without an ECG.

    An extremum counts once the curve has moved back from it by REFERENCE_SWING of the range over the last WINDOW frames.
    The curve's first frame never counts, since what came before is unknown. Memory is bounded.
    """

    def __init__(self) -> None:
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.confirmed = 0
        """How many there were, those that `events` has lost included: neighbours differ by one."""
        self._recent: deque[Event] = deque(maxlen=3)
        self._window: deque[float] = deque(maxlen=WINDOW)
        self._since: deque[Event] = deque(maxlen=WINDOW)  # candidates since the last event, kind ""
        self._last = ""
        self._first_frame: int | None = None

    def update(self, frame: int, area: float, volume_ml: float | None) -> Event | None:
        """Take one frame's area; return the extremum that it confirms, if any. Frames without an LV (area 0) are skipped."""
        if area <= 0:
            return None
        self._recent.append(Event("", frame, area, volume_ml))
        if len(self._recent) < 3:
            return None
        # The median of three frames belongs to the middle one: the newest is judged when its successor is known.
        smooth = sorted(e.area for e in self._recent)[1]
        middle = self._recent[1]
        if self._first_frame is None:
            self._first_frame = middle.frame
        self._window.append(smooth)
        self._since.append(replace(middle, area=smooth))
        mean = sum(self._window) / len(self._window)
        swing = max(MIN_SWING * mean, REFERENCE_SWING * (max(self._window) - min(self._window)))
        high = max(self._since, key=lambda e: e.area)
        low = min(self._since, key=lambda e: e.area)
        if self._last != "ED" and high.area - smooth > swing:
            return self._confirm("ED", high)
        if self._last != "ES" and smooth - low.area > swing:
            return self._confirm("ES", low)
        return None

    def candidates(self) -> set[int]:
        """Frames that an event may still name: the extremes since the last one, and those that would follow each of them."""
        since = list(self._since)
        if not since:
            return set()
        areas = [e.area for e in since]
        high, low = areas.index(max(areas)), areas.index(min(areas))
        after_high, after_low = areas.index(min(areas[high:]), high), areas.index(max(areas[low:]), low)
        return {since[k].frame for k in (high, low, after_high, after_low)}

    def _confirm(self, kind: str, at: Event) -> Event | None:
        """Record an extremum and look for the opposite one from there on."""
        while self._since[0].frame < at.frame:
            self._since.popleft()
        self._last = kind
        if at.frame == self._first_frame:
            return None
        event = replace(at, kind=kind)
        self.events.append(event)
        self.confirmed += 1
        return event


def ejection_fraction(end_diastolic_ml: float, end_systolic_ml: float) -> float:
    """EF in percent: 100 (EDV - ESV) / EDV."""
    return 100 * (end_diastolic_ml - end_systolic_ml) / end_diastolic_ml


def ejection_fractions(events: Sequence[Event]) -> list[float]:
    """EF in percent of each pair of neighbouring ED and ES, in either order, whose volumes are known."""
    fractions = []
    for one, other in zip(events, list(events)[1:]):
        ed, es = (one, other) if one.kind == "ED" else (other, one)
        if ed.kind != es.kind and ed.volume_ml and es.volume_ml is not None:
            fractions.append(ejection_fraction(ed.volume_ml, es.volume_ml))
    return fractions
