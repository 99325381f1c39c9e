"""CETUS (Bernard et al. 2016): 45 3-D recordings, ED and ES, cut into short-axis slices as in the PSPNet-MK paper, 2.1.

Layout: any folder tree of volumes `NAME.nii.gz` or `NAME.mhd` with the LV in `NAME_gt.*` or `NAME_truth.*` beside it,
which covers `patientNN/patientNN_ED.nii.gz` with `…_ED_gt.nii.gz` and `PatientN/PatientN_ED.mhd` with `…_ED_truth.mhd`.
The patient is the name up to its first underscore. The data set may not be redistributed, so its files were not seen
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from train.data.reading import SUFFIXES, existing, grey_levels, labels_of, read_itk, readable
from train.data.sample import LV, Sample, isotropic

TRUTHS = ("_gt", "_truth")


def read_cetus(root: Path, patients: Iterable[str] | None = None) -> Iterator[Sample]:
    """Yield short-axis slices (view "SAX", LV only) of each volume that has a mask, with square pixels.

    "Slices that did not contain any cardiac information were deleted" and "only half of them were selected" is read as:
    slices without LV are dropped, and of the rest every second is kept. Unreadable volumes are skipped, named, counted;
    DataError when none is left or a patient asked for is not there.
    """
    volumes = {stem: truth for stem in _stems(Path(root)) if (truth := _truth(stem))}
    wanted = set(patients) if patients is not None else {_patient(stem) for stem in volumes}
    if absent := sorted(wanted - {_patient(stem) for stem in volumes}):
        raise DataError(f"{root} lacks {len(absent)} of the patients asked for: {', '.join(absent[:5])}")
    stems = [stem for stem in volumes if _patient(stem) in wanted]
    return readable("CETUS", stems, lambda stem: stem.name, lambda stem: _read_volume(stem, volumes[stem]))


def long_axis(lv: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> int:
    """The array axis along which a 3-D LV (bool) reaches farthest in mm: cutting across it gives short-axis slices."""
    reach = [np.ptp(np.flatnonzero(lv.any(tuple({0, 1, 2} - {axis})))) * spacing_mm[axis] for axis in range(3)]
    return int(np.argmax(reach))


def short_axis_slices(
    volume: NDArray[np.uint8], lv: NDArray[np.bool_], spacing_mm: tuple[float, ...]
) -> list[tuple[int, NDArray[np.uint8], NDArray[np.uint8], tuple[float, float]]]:
    """(index, image, mask, (row, column) spacing) of every second slice across the long axis that contains LV."""
    axis = long_axis(lv, spacing_mm)
    rows, columns = [spacing_mm[k] for k in range(3) if k != axis]
    filled = np.flatnonzero(lv.any(tuple({0, 1, 2} - {axis})))[::2]
    return [
        (
            int(index),
            np.ascontiguousarray(volume.take(index, axis)),
            lv.take(index, axis).astype(np.uint8) * np.uint8(LV),
            (rows, columns),
        )
        for index in filled
    ]


def _stems(root: Path) -> list[Path]:
    files = sorted(p for s in SUFFIXES for p in root.rglob(f"*{s}"))
    return [p.with_name(p.name.removesuffix(s)) for p in files for s in SUFFIXES if p.name.endswith(s)]


def _truth(stem: Path) -> Path | None:
    return next((found for t in TRUTHS if (found := existing(stem.with_name(stem.name + t)))), None)


def _patient(stem: Path) -> str:
    return stem.name.split("_")[0]


def _read_volume(stem: Path, truth: Path) -> list[Sample]:
    path = existing(stem)
    assert path is not None
    volume, spacing = read_itk(path)
    labels, _ = read_itk(truth)
    if volume.ndim != 3 or volume.shape != labels.shape:
        raise DataError(f"a volume and its mask are expected, found arrays of {volume.shape} and {labels.shape}")
    volume, lv = grey_levels(volume), labels_of(labels) > 0
    if not lv.any():
        raise DataError("its mask is empty")
    phase = next((part.upper() for part in stem.name.split("_") if part.upper() in ("ED", "ES")), "")
    return [
        isotropic(Sample(image, mask, mm, "SAX", phase, _patient(stem), f"cetus/{stem.name}#{index}", known=(LV,)))
        for index, image, mask, mm in short_axis_slices(volume, lv, spacing)
    ]
