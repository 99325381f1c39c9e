"""The still picture of a refined key frame, with a band as wide as the uncertainty of its contour."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.picture.layout import STRIP_H, fitted
from edge.picture.palette import AMBER, BACKGROUND, DIM, REFINED, TEXT, Canvas, text, wrapped
from edge.refine.keyframe import ASKED, FROZEN_FRAME, PLAIN, Held, Refined
from edge.refine.refiner import Refinement
from edge.refine.volumes import spread_of

STILL_PX = STRIP_H
"""As high as the strip below the pictures."""
CAPTION_W = 130
INSET_W = STILL_PX + CAPTION_W
BAND = (0.05, 0.95)
"""Probabilities between which a pixel may or may not belong to the LV."""
ALPHA = 0.5
MARGIN = 0.3
"""Of the LV's size, around it."""
TITLES = {FROZEN_FRAME: "FROZEN", ASKED: "ON DEMAND", PLAIN: "FRAME"}


class Inset:
    """Draws onto a region of the canvas, STILL_PX x INSET_W; a still is rendered once and copied from then on."""

    def __init__(self, region: Canvas) -> None:
        self._region = region
        self._of: Refined | None = None
        self._drawn = False
        region[:] = BACKGROUND
        self._still: Canvas = np.zeros((STILL_PX, STILL_PX, 3), np.uint8)

    def draw(self, held: Held | None, withheld: str) -> None:
        """The still with kind, frame and age; its volume unless volumes are `withheld` now. None: nothing."""
        if held is None:
            if self._drawn:
                self._region[:] = BACKGROUND
            self._drawn = False
            return
        self._drawn, refined = True, held.refined
        if refined is not self._of:
            self._of, self._still = refined, still(np.asarray(refined.key.frame.image, np.uint8), refined.refinement)
        self._region[:, :STILL_PX] = self._still
        self._region[:, STILL_PX:] = BACKGROUND
        x = STILL_PX + 10
        text(self._region, TITLES.get(refined.key.kind, refined.key.kind), (x, 18), REFINED, 0.55)
        for row, words in enumerate(
            (
                f"{held.age_s:.1f} s ago",
                f"frame {refined.key.frame.number}",
                f"{len(refined.refinement.samples)} samples",
            )
        ):
            text(self._region, words, (x, 35 + 16 * row), DIM, 0.42)
        if refined.volumes_ml and not withheld:
            spread = spread_of(refined.volumes_ml)
            text(self._region, "LV volume ml", (x, 85), DIM, 0.42)
            text(self._region, f"{spread.median:.0f} ({spread.low:.0f}-{spread.high:.0f})", (x, 103), TEXT)
        for row, words in enumerate(wrapped("refined; band: 5-95 % of samples", CAPTION_W - 16, 0.38)):
            text(self._region, words, (x, 120 + 13 * row), AMBER, 0.38)


def still(image: Canvas, refinement: Refinement) -> Canvas:
    """The LV of a frame (HxW or HxWx3 uint8) enlarged to STILL_PX x STILL_PX RGB: band tinted, contour drawn."""
    matrix = _view_of(refinement)
    size = (STILL_PX, STILL_PX)
    shown = np.asarray(cv2.warpAffine(fitted(image, image.shape[1::-1]), matrix, size), np.uint8)
    probability = cv2.warpAffine(refinement.probability, matrix, size)
    unsure = (probability >= BAND[0]) & (probability <= BAND[1])
    shown[unsure] = np.rint((1 - ALPHA) * shown[unsure] + ALPHA * np.array(REFINED)).astype(np.uint8)
    inside = cv2.warpAffine(refinement.mask.astype(np.float32), matrix, size) > 0.5
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, contours, -1, TEXT, 1, cv2.LINE_AA)
    return shown


def _view_of(refinement: Refinement) -> NDArray[np.float64]:
    """Frame to still (2x3): a square around all that may be LV, the whole sector where nothing may."""
    x, y, width, height = cv2.boundingRect((refinement.probability >= BAND[0]).astype(np.uint8))
    box = refinement.box
    side = (1 + 2 * MARGIN) * max(width, height) or box.side
    left, top = (x + (width - side) / 2, y + (height - side) / 2) if width else (box.x, box.y)
    scale = STILL_PX / side
    return np.array([[scale, 0, (0.5 - left) * scale - 0.5], [0, scale, (0.5 - top) * scale - 0.5]])
