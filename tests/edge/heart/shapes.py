"""Shapes of cones, whose volumes are known."""

from __future__ import annotations

import numpy as np

from edge.heart.atrium import Atrium
from edge.heart.measure import DISCS
from edge.heart.shape import Shape


def cone(length: float, width: float, in_mm: bool = True, atrium: bool = True) -> Shape:
    """A long axis and a base width; an atrium 40 long of 1200 square units below."""
    behind = Atrium(area=1200.0, length=40.0, diameters=np.full(DISCS, 30.0)) if atrium else None
    return Shape(
        in_mm=in_mm,
        area=length * width / 2,
        length=length,
        diameters=width * (1 - (np.arange(DISCS) + 0.5) / DISCS),
        border=2 * float(np.hypot(length, width / 2)),
        annulus=np.array([[-width / 2, length + 20], [width / 2, length + 20]]),
        apex=np.array([0.0, 20.0]),
        atrium=behind,
    )


def cone_ml(length_mm: float, one_mm: float, other_mm: float) -> float:
    """pi/12 a b L, from which twenty discs differ by a thousandth."""
    return float(np.pi / 12 * one_mm * other_mm * length_mm / 1000)
