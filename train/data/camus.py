"""CAMUS (Leclerc et al. 2019): two apical views of 500 patients, ED and ES, as NIfTI or as the older MetaImage release."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingExtraError
from train.data.sample import Sample, isotropic

VIEWS = {"4CH": "A4C", "2CH": "A2C"}
PHASES = ("ED", "ES")
SUFFIXES = (".nii.gz", ".mhd")
log = logging.getLogger(__name__)


def patients_of(root: Path) -> list[str]:
    """Names of the patient folders under `root`, sorted. Raises DataError when there are none."""
    patients = sorted(p.name for p in Path(root).glob("patient*") if p.is_dir())
    if not patients:
        raise DataError(
            f"{root} holds no patientNNNN folders; give the folder that contains CAMUS's patient0001, patient0002, …"
        )
    return patients


def read_split(path: Path) -> list[str]:
    """Patient names of an official split file: one a line."""
    try:
        return Path(path).read_text().split()
    except OSError as error:
        raise DataError(
            f"cannot read the split file {path}: {error.strerror}; it holds one patient name a line"
        ) from error


def read_camus(
    root: Path, patients: Iterable[str] | None = None, views: Iterable[str] = tuple(VIEWS)
) -> Iterator[Sample]:
    """Yield ED and ES samples of each patient and view that is present, with square pixels, upright.

    Corrupt or incomplete pairs are skipped, named in the log and counted at the end; a patient without a folder
    and a data set without one readable pair raise DataError.
    """
    root = Path(root)
    known = patients_of(root)
    wanted = list(patients) if patients is not None else known
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise DataError(f"{root} lacks {len(missing)} of the patients asked for: {', '.join(missing[:5])}")
    read = skipped = 0
    for patient in wanted:
        for view in views:
            for phase in PHASES:
                stem = root / patient / f"{patient}_{view}_{phase}"
                image_path = _existing(stem)
                if image_path is None:
                    continue
                try:
                    yield _read_pair(image_path, stem, patient, view, phase)
                    read += 1
                except (RuntimeError, DataError) as error:
                    log.warning("skipped %s: %s", stem.name, str(error).strip().splitlines()[-1])
                    skipped += 1
    if skipped:
        log.warning("skipped %d corrupt or incomplete CAMUS frames of %d", skipped, read + skipped)
    if not read:
        raise DataError(f"{root} holds no readable CAMUS frame of the views {', '.join(views)}")


def _existing(stem: Path) -> Path | None:
    return next((p for s in SUFFIXES if (p := stem.with_name(stem.name + s)).exists()), None)


def _read_pair(image_path: Path, stem: Path, patient: str, view: str, phase: str) -> Sample:
    mask_path = _existing(stem.with_name(stem.name + "_gt"))
    if mask_path is None:
        raise DataError("its _gt file is missing")
    image, spacing = _read_2d(image_path)
    mask, _ = _read_2d(mask_path)
    if mask.max(initial=0) > 3:
        raise DataError(f"labels up to {mask.max()} where 0-3 are defined")
    return isotropic(Sample(image, mask, spacing, VIEWS[view], phase, patient, f"camus/{stem.name}"))


def _read_2d(path: Path) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """A 2-D image (rows = depth) and its (row, column) spacing in mm.

    SimpleITK returns the file's axes reversed, and CAMUS stores lateral first: so the array is upright as read.
    """
    try:
        import SimpleITK
    except ImportError as error:
        raise MissingExtraError("reading CAMUS", "train") from error
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    image = SimpleITK.ReadImage(str(path))
    array = SimpleITK.GetArrayFromImage(image)
    array = array[0] if array.ndim == 3 and len(array) == 1 else array
    if array.ndim != 2:
        raise DataError(f"a single frame is expected, found an array of shape {array.shape}")
    column_mm, row_mm = image.GetSpacing()[:2]
    return np.ascontiguousarray(array.astype(np.uint8)), (float(row_mm), float(column_mm))
