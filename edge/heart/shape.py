"""What is measured in one frame, in mm where the scale is known, else in pixels: ratios need no millimetre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.heart.atrium import Atrium, measure_atrium
from edge.heart.measure import DISCS, biplane_volume, disc_diameters
from edge.heart.regions import Regions
from edge.heart.strain import border_length
from edge.postprocess import LV

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One frame's LV and left atrium. Lengths in mm where `in_mm`, else in pixels; areas and volumes are their powers.

    `area` of the cavity, `length` of the long axis, `diameters` of DISCS discs from the base up, `border` the length of
    the endocardium, `annulus` 2 x 2 and `apex` (x, y) points, `atrium` None where none was seen.
    """

    in_mm: bool
    area: float
    length: float
    diameters: Points
    border: float
    annulus: Points
    apex: Points
    atrium: Atrium | None

    @property
    def volume(self) -> float:
        """By the method of discs in one plane, in ml or in 1000 cubic pixels."""
        return biplane_volume(self.length, self.diameters, self.diameters)

    @property
    def sphericity(self) -> float:
        """Mid-ventricular diameter by long axis (Lang et al. 2015): about 0.5, towards 1 in a round ventricle."""
        middle = self.diameters[DISCS // 2 - 1 : DISCS // 2 + 1].mean()
        return float(middle / self.length) if self.length else 0.0


def shape_of(mask: Mask, regions: Regions, spacing_mm: tuple[float, float] | None) -> Shape:
    """Measure a mask (HxW uint8) whose pixels are spacing_mm (row, column) large, or square where that is None."""
    scale = np.array((spacing_mm[1], spacing_mm[0])) if spacing_mm else np.ones(2)
    annulus, apex = np.array(regions.annulus) * scale, np.array(regions.apex) * scale
    endocardium = regions.endocardium * scale
    length, diameters = disc_diameters(endocardium, annulus, apex)
    return Shape(
        in_mm=spacing_mm is not None,
        area=float(np.count_nonzero(mask == LV)) * float(scale[0] * scale[1]),
        length=length,
        diameters=diameters,
        border=border_length(endocardium),
        annulus=annulus,
        apex=apex,
        atrium=measure_atrium(mask, annulus, scale),
    )
