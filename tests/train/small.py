"""Small samples and data sets in the documented layouts."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import SimpleITK

from train.data.sample import LA, LV, MYOCARDIUM, Sample

SHARED = Path(os.environ.get("ECHOEDGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
CAMUS_MHD = SHARED / "camus_mhd"
needs_mhd = pytest.mark.skipif(not CAMUS_MHD.is_dir(), reason=f"needs {CAMUS_MHD} (set ECHOEDGE_DATA)")


def apical_mask(height: int = 120, width: int = 100, lv_scale: float = 1.0) -> np.ndarray:
    """LV inside myocardium above a left atrium, as CAMUS labels them; uint8."""
    mask = np.zeros((height, width), np.uint8)
    centre = (width // 2, int(height * 0.45))
    axes = np.array((width * 0.17, height * 0.3)) * lv_scale
    wall = np.array((width * 0.07, height * 0.06))
    cv2.ellipse(mask, centre, tuple(int(v) for v in axes + wall), 0, 0, 360, MYOCARDIUM, -1)
    base = centre[1] + int(axes[1] * 0.7)
    mask[base:] = 0
    cv2.ellipse(mask, (centre[0], base), (int(axes[0]), int(height * 0.15)), 0, 0, 180, LA, -1)
    lv = np.zeros_like(mask)
    cv2.ellipse(lv, centre, tuple(int(v) for v in axes), 0, 0, 360, 1, -1)
    lv[base:] = 0
    mask[lv > 0] = LV
    return mask


def image_of(mask: np.ndarray, seed: int) -> np.ndarray:
    """Speckle whose grey follows the labels; uint8."""
    grey = np.array((30, 10, 160, 20), np.float32)[mask]
    noise = np.random.default_rng(seed).rayleigh(0.8, mask.shape)
    return np.clip(grey * noise + 5, 0, 255).astype(np.uint8)


def samples(patients: int, first: int = 1) -> list[Sample]:
    """ED and ES of some patients, 120 x 100 px of 1 mm."""
    made = []
    for number in range(first, first + patients):
        for phase, scale in (("ED", 1.0), ("ES", 0.8)):
            mask = apical_mask(lv_scale=scale * (0.9 + 0.02 * (number % 8)))
            name = f"patient{number:04d}"
            made.append(Sample(image_of(mask, number), mask, (1.0, 1.0), "A4C", phase, name, f"{name}_{phase}"))
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
