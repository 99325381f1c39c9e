"""EchoNet-Dynamic (Ouyang et al. 2020): 10,030 apical four-chamber videos with the LV traced at ED and ES.

Layout, as the authors' own loader (github.com/echonet/dynamic, echonet/datasets/echo.py) reads it: `FileList.csv`
(FileName without suffix, EF, ESV, EDV, …, Split = TRAIN | VAL | TEST), `VolumeTracings.csv` (FileName with .avi, X1,
Y1, X2, Y2, Frame; for each frame the long axis first, then chords across it) and `Videos/*.avi`. One video is one
patient.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from train.data.reading import readable
from train.data.sample import LV, Sample

UNKNOWN_MM = (float("nan"), float("nan"))
"""The videos are 112 x 112 without any scale."""
Tracings = dict[int, NDArray[np.float64]]


def read_echonet(root: Path, patients: Iterable[str] | None = None, split: str | None = None) -> Iterator[Sample]:
    """Yield the traced frames (ED and ES) of each video, or of those named, or of one split; masks hold the LV only.

    Spacing is NaN: no distance in mm can come out of this data. Unreadable videos and videos without tracings are
    skipped, named and counted; a missing table, or a video asked for that is not listed, raises DataError.
    """
    files = _table(root / "FileList.csv", ("FileName", "Split"))
    known = {row["FileName"].removesuffix(".avi"): row["Split"].upper() for row in files}
    wanted = [name for name in known if split is None or known[name] == split]
    if patients is not None:
        asked = set(patients)
        if absent := sorted(asked - set(known)):
            raise DataError(f"{root}/FileList.csv lacks {len(absent)} of the videos asked for: {', '.join(absent[:5])}")
        wanted = [name for name in wanted if name in asked]
    tracings = _tracings(root / "VolumeTracings.csv")
    return readable(
        "EchoNet-Dynamic",
        wanted,
        str,
        lambda name: _read_video(root / "Videos" / f"{name}.avi", tracings.get(name, {})),
    )


def read_echonet_ef(root: Path) -> dict[str, float]:
    """EF in percent by video from `FileList.csv`: by discs in one plane, from the reports. Raises DataError for a table
    without it."""
    try:
        return {
            row["FileName"].removesuffix(".avi"): float(row["EF"])
            for row in _table(root / "FileList.csv", ("FileName", "EF"))
        }
    except ValueError as error:
        raise DataError(f"{root}/FileList.csv has an EF that is no number: {error}") from error


def outline(chords: NDArray[np.float64]) -> NDArray[np.float64]:
    """The traced LV border as a polygon of (x, y) px from chords K x 4 (x1, y1, x2, y2), the first being the long axis.

    Down one side, back up the other; the long axis itself is no part of the border.
    """
    return np.concatenate([chords[1:, :2], chords[:0:-1, 2:]])


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            absent = set(columns) - set(rows.fieldnames or ())
            if absent:
                raise DataError(f"{path} lacks the columns {', '.join(sorted(absent))}")
            return list(rows)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; give EchoNet-Dynamic's own folder") from error


def _tracings(path: Path) -> dict[str, Tracings]:
    lines: dict[str, dict[int, list[list[float]]]] = {}
    for line, row in enumerate(_table(path, ("FileName", "X1", "Y1", "X2", "Y2", "Frame")), 2):
        frames = lines.setdefault(row["FileName"].removesuffix(".avi"), {})
        try:  # spreadsheets and pandas write whole numbers as 46.0
            frame, chord = float(row["Frame"]), [float(row[key]) for key in ("X1", "Y1", "X2", "Y2")]
            if frame != int(frame) or not np.isfinite(chord).all():
                raise ValueError("no whole frame number or no finite point")
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"{path}, line {line}: {error}; a tracing has a frame number and four coordinates"
            ) from error
        frames.setdefault(int(frame), []).append(chord)
    return {name: {frame: np.array(chords) for frame, chords in frames.items()} for name, frames in lines.items()}


def _read_video(path: Path, tracings: Tracings) -> list[Sample]:
    if len(tracings) < 2:
        raise DataError("ED and ES are not both traced")
    pictures = _decode(path, set(tracings))
    samples = []
    for frame, chords in tracings.items():
        if frame not in pictures:
            raise DataError(f"frame {frame} is traced but the video is shorter")
        mask = np.zeros(pictures[frame].shape, np.uint8)
        cv2.fillPoly(mask, [np.rint(outline(chords)).astype(np.int32)], LV)
        samples.append((frame, mask))
    sizes = [int(mask.sum()) for _, mask in samples]
    phases = {int(np.argmax(sizes)): "ED", int(np.argmin(sizes)): "ES"}
    return [
        Sample(
            pictures[frame],
            mask,
            UNKNOWN_MM,
            "A4C",
            phases.get(i, ""),
            path.stem,
            f"echonet/{path.stem}#{frame}",
            known=(LV,),
        )
        for i, (frame, mask) in enumerate(samples)
    ]


def _decode(path: Path, frames: set[int]) -> dict[int, NDArray[np.uint8]]:
    try:
        with av.open(str(path)) as container:
            return {
                index: np.ascontiguousarray(picture.to_ndarray(format="gray"))
                for index, picture in enumerate(container.decode(video=0))
                if index in frames
            }
    except (OSError, av.FFmpegError, IndexError) as error:
        raise DataError(f"no readable video: {error}") from error
