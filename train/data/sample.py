"""The one sample type that every data set yields."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError

BACKGROUND, LV, MYOCARDIUM, LA = range(4)
Known = tuple[int, ...]
"""Classes that a data set annotates, of LV, MYOCARDIUM and LA."""
EVERY: Known = (LV, MYOCARDIUM, LA)


@dataclass(frozen=True)
class Sample:
    """One annotated frame.

    image HxW uint8; mask HxW uint8 (0 background, 1 LV, 2 myocardium, 3 left atrium); spacing (row, column) in mm, NaN
    where unknown; view "A4C" | "A2C" | "A3C" | "SAX"; phase "ED" | "ES" | ""; patient and source identify where it came
    from. scores: quality 1-5 of the 8 regions, NaN where excluded, float32, where it is known; else None. known: the
    classes that are annotated; what is of another one is background in the mask, and nobody has said that it is not
    there.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    spacing_mm: tuple[float, float]
    view: str
    phase: str
    patient: str
    source: str
    scores: NDArray[np.float32] | None = None
    known: Known = EVERY

    def __post_init__(self) -> None:
        if self.image.shape != self.mask.shape:
            raise DataError(f"{self.source}: image is {self.image.shape} but its mask is {self.mask.shape}")
        if not self.known or not set(self.known) <= set(EVERY):
            raise DataError(f"{self.source}: its known classes are {self.known}; give some of {EVERY}")


def only_known(mask: NDArray[np.uint8], known: Known) -> NDArray[np.uint8]:
    """A mask as an annotator of the `known` classes would have drawn it: the others are background. HxW uint8."""
    if set(known) == set(EVERY):
        return mask
    return np.where(np.isin(mask, known), mask, np.uint8(BACKGROUND))


def isotropic(sample: Sample) -> Sample:
    """The sample with square pixels: the coarser axis is enlarged to the finer spacing."""
    row_mm, column_mm = sample.spacing_mm
    if abs(row_mm / column_mm - 1) < 0.01:
        return sample
    fine = min(row_mm, column_mm)
    height, width = sample.image.shape
    size = (round(width * column_mm / fine), round(height * row_mm / fine))
    return replace(
        sample,
        image=np.asarray(cv2.resize(sample.image, size, interpolation=cv2.INTER_LINEAR), np.uint8),
        mask=np.asarray(cv2.resize(sample.mask, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8),
        spacing_mm=(fine, fine),
    )
