"""Refined frames made by hand."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from edge.heart.analysis import Analysis
from edge.heart.withhold import NOTHING, Withheld
from edge.postprocess import clean_mask
from edge.preprocess import Box
from edge.refine.keyframe import FROZEN_FRAME, Held, KeyFrame, RefinedFrames
from edge.refine.refiner import Refinement, entropy_bits
from edge.refine.volumes import Spread
from edge.screen.calibration import Calibration
from edge.sources import Captured
from tests.edge.picture.test_overlay import analysis
from tests.phantom import SIZE, apical_mask


def refinement(scales: tuple[float, ...] = (0.97, 1.0, 1.03), blur_px: float = 2.0) -> Refinement:
    """Of the phantom's frame; each sample is the LV in one of the widths, its border `blur_px` wide."""
    cavities = [(apical_mask(scale) == 1).astype(np.float32) for scale in scales]
    samples = np.stack([cv2.GaussianBlur(cavity, (0, 0), blur_px) for cavity in cavities])
    mean = samples.mean(0)
    mask = clean_mask((mean > 0.5).astype(np.uint8))
    return Refinement(mask, mean, entropy_bits(mean), samples, Box(0, 0, SIZE))


def key_frame(
    kind: str = "ED", number: int = 0, order: int = 0, scene: int = 0, withheld: Withheld = NOTHING, known: bool = True
) -> KeyFrame:
    """A phantom's frame at 30 a second, half a mm a pixel; without an analysis where it is not `known`."""
    of: Analysis = replace(analysis(number=number), calibration=Calibration((0.5, 0.5), "test"), withheld=withheld)
    frame: Captured = of.frame
    return KeyFrame(kind, frame, of.box, of if known else None, order, scene)


def held(kind: str = "ES", fraction: Spread | None = None) -> Held:
    """A refined frame of 0.8 s ago."""
    frames = RefinedFrames()
    key = key_frame(kind, known=kind != FROZEN_FRAME)
    frames.put(key, refinement())
    found = frames.at(key.frame, 0)
    assert found is not None
    return replace(found, age_s=0.8, ejection_fraction=fraction)
