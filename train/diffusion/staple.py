"""STAPLE (Warfield et al. 2004) over many sampled masks: the paper's fusion, done with enough raters for it to work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from edge.errors import DataError

FEWEST_RATERS = 3
"""Two raters say nothing of each other's accuracy: whatever they disagree on ends near one half."""


def staple(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.float32]:
    """Probability of foreground by expectation maximisation over raters' masks, all H x W.

    Where any mask is empty the raters' mean is returned: EM then settles on "empty". Raises DataError for fewer than
    three raters.
    """
    if len(masks) < FEWEST_RATERS:
        raise DataError(
            f"STAPLE over {len(masks)} masks is degenerate; draw more samples, {FEWEST_RATERS} masks at least"
        )
    if not all(mask.any() for mask in masks):
        return np.asarray(np.mean(masks, axis=0), np.float32)
    images = [SimpleITK.GetImageFromArray(np.ascontiguousarray(mask, np.uint8)) for mask in masks]
    return np.asarray(SimpleITK.GetArrayFromImage(SimpleITK.STAPLE(images, 1.0)), np.float32)


def staple_of(probabilities: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """STAPLE over probability maps (H x W each) cut at one half: samples of both branches, and the SCC head's
    estimate.
    """
    return staple([np.asarray(p) > 0.5 for p in probabilities])
