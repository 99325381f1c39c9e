"""Small samples and data sets in the documented layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from tests.phantom import apical_frame, apical_mask
from train.data.sample import Sample

SIZE_PX = 120


def samples(patients: int, first: int = 1) -> list[Sample]:
    """ED and ES of some patients, 120 x 120 px of 1 mm; at ES the LV is 0.8 as wide."""
    made = []
    for number in range(first, first + patients):
        for phase, scale in (("ED", 1.0), ("ES", 0.8)):
            width = scale * (0.9 + 0.02 * (number % 8))
            image, mask = apical_frame(width, number, SIZE_PX), apical_mask(width, SIZE_PX)
            name = f"patient{number:04d}"
            made.append(Sample(image, mask, (1.0, 1.0), "A4C", phase, name, f"{name}_{phase}"))
    return made


def write_itk(array: np.ndarray, spacing: tuple[float, ...], path: Path) -> None:
    """Write with SimpleITK; spacing in the file's axis order (fastest first), in mm."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path))


def write_camus(root: Path, patients: int, suffix: str = ".nii.gz", view: str = "4CH") -> None:
    """ED, ES, a half sequence of three frames and the Info file of each patient."""
    for sample in samples(patients):
        stem = root / sample.patient / f"{sample.patient}_{view}_{sample.phase}"
        write_itk(sample.image, (0.5, 0.5), stem.with_name(stem.name + suffix))
        write_itk(sample.mask, (0.5, 0.5), stem.with_name(stem.name + "_gt" + suffix))
        if sample.phase == "ED":
            stem = stem.with_name(f"{sample.patient}_{view}_half_sequence")
            write_itk(np.stack([sample.image] * 3), (0.5, 0.5, 1.0), stem.with_name(stem.name + suffix))
            write_itk(np.stack([sample.mask] * 3), (0.5, 0.5, 1.0), stem.with_name(stem.name + "_gt" + suffix))
            (root / sample.patient / f"Info_{view}.cfg").write_text(
                "ED: 1\nES: 3\nNbFrame: 3\nSex: F\nAge: 56\nImageQuality: Good\nEF: 54.0\nFrameRate: 48.4\n"
            )
