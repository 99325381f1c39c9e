"""Left-ventricular measurements from masks: area, length, single-plane volume, ejection fraction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.heart.regions import Regions
from edge.postprocess import LV

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]

DISCS = 20


@dataclass(frozen=True)
class Ventricle:
    """One frame's LV: area in cm2, long-axis length in mm, volume in ml; all None where mm per pixel is unknown.

    `area_px` counts frame pixels and is always there. `diameters_mm` are those of the volume's DISCS discs, from the
    base up.
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
    """(long-axis length in mm, volume in ml) by the single-plane method of discs: both planes of `biplane_volume` are
    this one.

    Points are (x, y) in mm; the endocardium runs from one annulus point over the apex to the other.
    """
    length_mm, diameters_mm = disc_diameters(endocardium, annulus, apex)
    return length_mm, biplane_volume(length_mm, diameters_mm, diameters_mm)


def biplane_volume(length_mm: float, one_mm: Points, other_mm: Points) -> float:
    """LV volume in ml by the method of discs (Simpson): V = pi/4 sum(a b) L/n with the diameters of n = 20 discs in two
    planes.

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


def ejection_fraction(end_diastolic_ml: float, end_systolic_ml: float) -> float:
    """EF in percent: 100 (EDV - ESV) / EDV."""
    return 100 * (end_diastolic_ml - end_systolic_ml) / end_diastolic_ml


def fractional_area_change(end_diastolic: float, end_systolic: float) -> float:
    """FAC in percent: 100 (A_ED - A_ES) / A_ED, from the cavity's areas in one view, in any unit."""
    return 100 * (end_diastolic - end_systolic) / end_diastolic
