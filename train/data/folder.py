"""A plain folder: images, masks and a `frames.csv` that names them.

Columns: image, mask (paths relative to the CSV), spacing_row_mm, spacing_column_mm, view, phase, patient; and, where
not every class is annotated, `classes`: those that are, of lv, myo and la, separated by blanks.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from train.data.reading import readable
from train.data.sample import EVERY, Known, Sample, isotropic

COLUMNS = ("image", "mask", "spacing_row_mm", "spacing_column_mm", "view", "phase", "patient")
CLASSES = dict(zip(("lv", "myo", "la"), EVERY))


def read_folder(root: Path, patients: Iterable[str] | None = None) -> Iterator[Sample]:
    """Yield the samples that `root`/frames.csv lists, with square pixels.

    Unreadable pairs are skipped, named and counted; DataError for a bad CSV or when nothing is left.
    """
    table = Path(root) / "frames.csv"
    if not table.is_file():
        raise DataError(f"{table} does not exist; it needs the columns {', '.join(COLUMNS)}")
    wanted = set(patients) if patients is not None else None
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        absent = set(COLUMNS) - set(rows.fieldnames or ())
        if absent:
            raise DataError(f"{table} lacks the columns {', '.join(sorted(absent))}")
        kept = [row for row in rows if wanted is None or row["patient"] in wanted]
    yield from readable("folder", kept, lambda row: row["image"], lambda row: [_read_row(table.parent, row)])


def _read_row(folder: Path, row: dict[str, str]) -> Sample:
    try:
        spacing = (float(row["spacing_row_mm"]), float(row["spacing_column_mm"]))
    except ValueError as error:
        raise DataError(f"its spacing is not a number: {error}") from error
    image, mask, known = _grey(folder / row["image"]), _grey(folder / row["mask"]), _known(row.get("classes") or "")
    return isotropic(Sample(image, mask, spacing, row["view"], row["phase"], row["patient"], row["image"], known=known))


def _known(words: str) -> Known:
    named = words.lower().split()
    if unknown := sorted(set(named) - set(CLASSES)):
        raise DataError(f"its classes name '{unknown[0]}'; they are {', '.join(CLASSES)}, separated by blanks")
    return tuple(CLASSES[name] for name in named) or EVERY


def _grey(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path} is missing or no picture that OpenCV can read")
    return np.asarray(image, np.uint8)
