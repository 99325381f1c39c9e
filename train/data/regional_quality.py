"""Experts' regional image quality as in HUNT4 (regional-quality paper, 2.2): eight scores a frame, 1 to 5, or out of
sector.

The annotations are not public. Three layouts are read:

- `quality.csv`: columns image (path beside the CSV), patient, view, and the eight names of
  `edge.heart.regions.REGIONS`; a cell is 1-5, or a name of LEVELS, or empty where the region is out of the sector.
- `quality.json`: a list of {"image", "patient", "view", "scores": {region: 1-5 or null}}.
- an AnnotationWeb export (github.com/smistad/annotationweb, exporters/image_quality_exporter.py): anywhere below the
  folder, `DATASET/SUBJECT/SEQUENCE/FRAME.{png,mhd}` with `FRAME_image_quality.txt` beside it, lines
  `CATEGORY = SELECTION`.
  Categories are free text there: a region's name, or its name by wall ("basal septal"). The view is the folder or file
  name's A4C, A2C or A3C (ALAX), else "".
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.heart.regions import REGIONS, WALLS, region_names
from train.data.reading import grey_levels, read_plane, readable

LEVELS = {"not visible": 1, "poor": 2, "ok": 3, "good": 4, "excellent": 5}
"""The paper's table 1."""
EXCLUDED = ("", "out of sector", "out-of-sector")
VIEW_NAMES = {"A4C": "A4C", "A2C": "A2C", "A3C": "A3C", "ALAX": "A3C"}
ANNOTATION_SUFFIX = "_image_quality.txt"
Record = tuple[Path, str, str, Mapping[str, Any]]


@dataclass(frozen=True)
class QualitySample:
    """One scored frame: image HxW uint8, scores 8 float32 in the order of `edge.heart.regions.REGIONS`, NaN where
    excluded.
    """

    image: NDArray[np.uint8]
    scores: NDArray[np.float32]
    view: str
    patient: str
    source: str


def read_quality(root: Path, patients: Iterable[str] | None = None) -> Iterator[QualitySample]:
    """Yield the scored frames of any of the three layouts, of all patients or those named.

    Frames that cannot be read, or whose score is not one, are skipped, named and counted. DataError when nothing is
    found.
    """
    root = Path(root)
    if (root / "quality.csv").is_file():
        records = _csv_records(root / "quality.csv")
    elif (root / "quality.json").is_file():
        records = _json_records(root / "quality.json")
    else:
        records = [_export_record(path) for path in sorted(root.rglob(f"*{ANNOTATION_SUFFIX}"))]
    wanted = set(patients) if patients is not None else None
    kept = [r for r in records if wanted is None or r[1] in wanted]
    return readable("regional quality", kept, lambda r: str(r[0].relative_to(root)), _read)


def score_of(value: Any) -> float:
    """1-5 from a number or a level's name, NaN for a region out of the sector. Raises DataError for anything else."""
    text = "" if value is None else str(value).strip().lower()
    if text in EXCLUDED:
        return float("nan")
    if text in LEVELS:
        return float(LEVELS[text])
    if text in {"1", "2", "3", "4", "5"}:
        return float(text)
    raise DataError(f"'{value}' is not a score; write 1-5, one of {', '.join(LEVELS)}, or nothing where out of sector")


def region_index(name: str) -> int:
    """Index into REGIONS of a region's name, by side ("basal left") or by wall ("Basal_septal"). DataError for
    another.
    """
    plain = re.sub(r"[_\-\s]+", " ", name).strip().lower()
    for view in ("", *WALLS):
        if plain in region_names(view):
            return region_names(view).index(plain)
    raise DataError(f"'{name}' is not a region; expected {', '.join(REGIONS)}, or those by wall")


def _read(record: Record) -> list[QualitySample]:
    path, patient, view, values = record
    scores = np.full(len(REGIONS), np.nan, np.float32)
    for name, value in values.items():
        scores[region_index(name)] = score_of(value)
    if path.suffix == ".mhd":
        image = grey_levels(read_plane(path)[0])
    else:
        read = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if read is None:
            raise DataError("missing or no picture that OpenCV can read")
        image = np.asarray(read, np.uint8)
    return [QualitySample(image, scores, view, patient, path.name)]


def _csv_records(path: Path) -> list[Record]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        absent = {"image", "patient", "view", *REGIONS} - set(rows.fieldnames or ())
        if absent:
            raise DataError(f"{path} lacks the columns {', '.join(sorted(absent))}")
        return [(path.parent / r["image"], r["patient"], r["view"], {n: r[n] for n in REGIONS}) for r in rows]


def _json_records(path: Path) -> list[Record]:
    try:
        rows = json.loads(path.read_text())
        return [(path.parent / r["image"], str(r["patient"]), r.get("view", ""), dict(r["scores"])) for r in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a list of frames with image, patient and scores: {error}") from error


def _export_record(path: Path) -> Record:
    stem = path.name.removesuffix(ANNOTATION_SUFFIX)
    pairs = [line.split("=", 1) for line in path.read_text().splitlines() if "=" in line]
    image = next(
        (p for s in (".png", ".mhd") if (p := path.with_name(stem + s)).exists()), path.with_name(f"{stem}.png")
    )
    words = re.split(r"[^A-Z0-9]+", f"{path.parent.name} {stem}".upper())
    view = next((VIEW_NAMES[word] for word in words if word in VIEW_NAMES), "")
    return image, path.parent.parent.name, view, {name.strip(): value.strip() for name, value in pairs}
