"""The left atrium from a segmentation mask: area, length, volume."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.postprocess import LA, pixels_of

Mask = NDArray[np.uint8]
Points = NDArray[np.float64]

DISCS = 20


@dataclass(frozen=True, kw_only=True)
class Atrium:
    """Left atrium of one frame: area, length from the middle of the mitral annulus to the farthest point of the roof,
    and the diameters of DISCS discs across that length; in one unit, its square, its unit."""

    area: float
    length: float
    diameters: Points


def measure_atrium(mask: Mask, annulus: Points, scale: Points) -> Atrium | None:
    """None where no atrium was segmented. mask HxW uint8, `scale` the (x, y) size of a pixel; annulus 2 x 2 (x, y) and
    the result are in its unit.
    """
    atrium = pixels_of(mask, LA)
    rows, columns = np.nonzero(atrium)
    if not len(rows):
        return None
    contours, _ = cv2.findContours(atrium, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    border = np.concatenate([c[:, 0] for c in contours]) * scale
    middle = annulus.mean(0)
    reach = np.hypot(*(border - middle).T)
    length = float(reach.max())
    if length == 0:
        return None
    axis = (border[int(reach.argmax())] - middle) / length
    along = (np.stack([columns, rows], axis=1) * scale - middle) @ axis
    pixel = float(scale[0] * scale[1])
    counts, _ = np.histogram(along, DISCS, (0.0, length))
    return Atrium(area=len(rows) * pixel, length=length, diameters=counts * pixel * DISCS / length)


def area_length_volume(one: Atrium, other: Atrium, length: float) -> float:
    """8 A1 A2 / (3 pi L) in the unit's cube, with the areas in A4C and in A2C and the shorter of the two lengths.

    Lang et al. 2015 (ASE/EACVI). For one plane give it twice.
    """
    return 8 * one.area * other.area / (3 * np.pi * length) if length > 0 else 0.0


def disc_volume(one: Atrium, other: Atrium, length: float) -> float:
    """pi/4 sum(a b) L/n in the unit's cube, with the diameters of n = 20 discs in two planes (Lang et al. 2015,
    ASE/EACVI). For one plane give it twice.
    """
    return float(np.pi / 4 * (one.diameters * other.diameters).sum() * length / DISCS)
