"""What the readers of data sets share: ITK files as arrays, and skipping what cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingExtraError

SUFFIXES = (".nii.gz", ".mhd")
log = logging.getLogger(__name__)
Item = TypeVar("Item")
Found = TypeVar("Found")


def existing(stem: Path) -> Path | None:
    """`stem` with the first of NIfTI's and MetaImage's suffixes that is there, else None."""
    return next((p for s in SUFFIXES if (p := stem.with_name(stem.name + s)).exists()), None)


def read_itk(path: Path) -> tuple[NDArray[Any], tuple[float, ...]]:
    """Pixels and spacing in mm of a NIfTI or MetaImage file, both with the file's axes reversed (slowest first).

    Raises DataError for a corrupt file and MissingExtraError without SimpleITK.
    """
    try:
        import SimpleITK
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading NIfTI and MetaImage", "data") from error
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise DataError(str(error).strip().splitlines()[-1]) from error
    return SimpleITK.GetArrayFromImage(image), tuple(float(s) for s in image.GetSpacing()[::-1])


def read_plane(path: Path) -> tuple[NDArray[Any], tuple[float, float]]:
    """A single 2-D frame (rows = the file's second axis) and its (row, column) spacing in mm. DataError for more than
    one.
    """
    array, spacing = read_itk(path)
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim != 2:
        raise DataError(f"a single frame is expected, found an array of shape {array.shape}")
    return array, (spacing[-2], spacing[-1])


def grey_levels(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Pixels of any type as 0-255, uint8: nothing wraps, nothing is cut to black.

    Values from 0 to 255 stay as they are, but for those of a float array from 0 to 1, which are fractions. Others
    (16-bit, Hounsfield-like, negative) are stretched from their own least to their own greatest value, for the whole
    array alike. DataError for NaN, infinities and what holds no real numbers.
    """
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "uif" or not array.size or not np.isfinite(array).all():
        raise DataError(f"its {array.dtype} pixels are not all finite numbers")
    values = array.astype(np.float64)
    least, most = float(values.min()), float(values.max())
    if array.dtype.kind == "f" and least >= 0 and 0 < most <= 1:
        values *= 255
    elif least < 0 or most > 255:
        log.warning("grey levels from %g to %g are stretched to 0-255", least, most)
        values /= max(-least, most)  # so that neither the greatest nor the least numbers there are go astray
        values -= values.min()
        values *= 255 / (values.max() or 1)
    return np.ascontiguousarray(np.rint(values).astype(np.uint8))


def labels_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    """A mask of any type as uint8. DataError for values that are no labels: parts, negative ones, more than 255."""
    if array.dtype.kind not in "uif" or not np.isfinite(array).all():
        raise DataError(f"its mask holds {array.dtype} values that are not all numbers")
    labels = np.rint(array)
    if array.size and (np.abs(labels - array).max() > 1e-3 or labels.min() < 0 or labels.max() > 255):
        raise DataError(f"its mask holds values from {array.min():g} to {array.max():g}, which are not labels")
    return np.ascontiguousarray(labels.astype(np.uint8))


def readable(
    what: str, items: Iterable[Item], name: Callable[[Item], str], read: Callable[[Item], Iterable[Found]]
) -> Iterator[Found]:
    """Yield what `read` finds in each item. One that raises DataError is named in the log, skipped and counted.

    Raises DataError when nothing at all could be read.
    """
    count = skipped = 0
    for item in items:
        try:
            found = list(read(item))
        except DataError as error:
            log.warning("skipped %s: %s", name(item), error)
            skipped += 1
            continue
        count += len(found)
        yield from found
    if skipped:
        log.warning("skipped %d corrupt or incomplete %s frames of %d", skipped, what, count + skipped)
    if not count:
        raise DataError(f"no readable {what} frame of what was asked for ({skipped} skipped)")
