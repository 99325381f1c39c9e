"""Volumes of a refined frame's samples and, from an ED and an ES frame, an interval of the ejection fraction.

The samples are masks of the LV alone, so the ends of the mitral annulus come from the frame loop's own measurement of
the same frame: each sample's border is cut where it passes nearest to them, and measured by the single-plane method of
discs. The intervals say how far the model's samples differ, and nothing of foreshortening, of the view or of other
beats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.heart.analysis import REGION_PX
from edge.heart.measure import disc_volume, ejection_fraction
from edge.heart.regions import Regions
from edge.postprocess import LV, clean_mask, pixels_of
from edge.preprocess import Box

Points = NDArray[np.float64]

PERCENTILES = (5, 50, 95)
MIN_SAMPLES = 2
MAX_SHIFT = 0.25
"""A border further from the annulus than this share of the long axis belongs to something else."""


@dataclass(frozen=True)
class Spread:
    """5th, 50th and 95th percentile of some values."""

    low: float
    median: float
    high: float


def spread_of(values: Sequence[float]) -> Spread:
    """Percentiles of at least one value, interpolated linearly between neighbours."""
    return Spread(*(float(p) for p in np.percentile(np.asarray(values, np.float64), PERCENTILES)))


def sample_volumes(
    samples: NDArray[np.float32], box: Box, regions: Regions, spacing_mm: tuple[float, float]
) -> tuple[float, ...]:
    """LV volume in ml of each of K x size x size probabilities within `box`; () where one of them cannot be measured.

    `regions` are the same frame's, on REGION_PX pixels of the same box; spacing_mm (row, column) is of a frame pixel.
    """
    grid_mm = np.array((spacing_mm[1], spacing_mm[0])) * box.side / REGION_PX
    volumes = [_volume_ml(sample, regions, grid_mm) for sample in samples]
    known = tuple(volume for volume in volumes if volume is not None)
    return known if len(known) == len(volumes) else ()


def ejection_spread(ed_ml: Sequence[float], es_ml: Sequence[float]) -> Spread:
    """EF in percent over every pair of an ED with an ES sample: the two frames' draws know nothing of each other."""
    return spread_of([ejection_fraction(ed, es) for ed in ed_ml for es in es_ml])


def _volume_ml(sample: NDArray[np.float32], regions: Regions, grid_mm: Points) -> float | None:
    enlarged = cv2.resize(sample, (REGION_PX, REGION_PX), interpolation=cv2.INTER_LINEAR)
    mask = clean_mask(np.asarray(enlarged > 0.5, np.uint8))
    contours, _ = cv2.findContours(pixels_of(mask, LV), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    outline = np.asarray(contours[0][:, 0], np.float64) * grid_mm
    ends, apex = np.array(regions.annulus) * grid_mm, np.array(regions.apex) * grid_mm
    arc = _cut(outline, ends, MAX_SHIFT * float(np.hypot(*(apex - ends.mean(0)))))
    if arc is None:
        return None
    annulus = arc[[0, -1]]
    farthest = arc[np.hypot(*(arc - annulus.mean(0)).T).argmax()]
    volume_ml = disc_volume(arc, annulus, farthest)[1]
    return volume_ml if volume_ml > 0 else None


def _cut(outline: Points, ends: Points, reach: float) -> Points | None:
    """The part of a closed outline from its point nearest to one end over the apex to that nearest to the other; all in
    mm.

    None where the outline does not come within `reach` of both ends.
    """
    away = [np.hypot(*(outline - end).T) for end in ends]
    first, last = (int(distance.argmin()) for distance in away)
    if max(float(distance.min()) for distance in away) > reach or first == last:
        return None
    turned = np.roll(outline, -first, axis=0)
    at = (last - first) % len(outline)
    ways = turned[: at + 1], np.vstack([turned[at:], turned[:1]])[::-1]
    middle = ends.mean(0)
    return max(ways, key=lambda way: float(np.hypot(*(way - middle).T).max()))
