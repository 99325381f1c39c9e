"""Mitral annular plane systolic excursion (MAPSE): how far the annulus comes towards the apex."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def plane_excursion(ed_annulus: Points, ed_apex: Points, es_annulus: Points) -> tuple[float, float]:
    """(left, right) excursion of the annulus points between ED and ES, along the long axis of ED, in the points' unit.

    Annuli are 2 x 2, (x, y) of the left and the right point, the apex is (x, y). In A4C left is septal and right
    lateral. Their mean is the MAPSE (Hu et al. 2013: an M-mode measurement there; here the points of a contour, whose
    reading varies by about 2 mm). Where ED's axis has no length it is 0.
    """
    axis = ed_apex - ed_annulus.mean(0)
    length = float(np.hypot(*axis))
    if length == 0:
        return 0.0, 0.0
    left, right = (es_annulus - ed_annulus) @ (axis / length)
    return float(left), float(right)
