from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from edge.errors import DataError
from tests.phantom import apical_frame, apical_mask
from train.data import open_data
from train.data.camus import read_camus


def write(path: Path, array: np.ndarray, spacing: tuple[float, float]) -> None:
    """CAMUS's own orientation: the file's first axis is lateral, so SimpleITK's reversed arrays are upright."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((spacing[1], spacing[0]))
    SimpleITK.WriteImage(image, str(path))


def make_patient(root: Path, name: str, suffix: str = ".nii.gz", spacing: tuple[float, float] = (0.3, 0.3)) -> None:
    folder = root / name
    folder.mkdir(parents=True)
    for view in ("4CH", "2CH"):
        for phase in ("ED", "ES"):
            write(folder / f"{name}_{view}_{phase}{suffix}", apical_frame(), spacing)
            write(folder / f"{name}_{view}_{phase}_gt{suffix}", apical_mask(), spacing)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mhd"])
def test_both_releases_upright_with_spacing(tmp_path: Path, suffix: str) -> None:
    make_patient(tmp_path, "patient0001", suffix)
    samples = list(read_camus(tmp_path))
    assert [(s.view, s.phase) for s in samples] == [("A4C", "ED"), ("A4C", "ES"), ("A2C", "ED"), ("A2C", "ES")]
    assert np.array_equal(samples[0].image, apical_frame())
    assert np.array_equal(samples[0].mask, apical_mask())
    assert samples[0].spacing_mm == pytest.approx((0.3, 0.3), abs=1e-5)
    assert samples[0].patient == "patient0001"


def test_oblong_pixels_become_square(tmp_path: Path) -> None:
    make_patient(tmp_path, "patient0001", ".mhd", spacing=(0.154, 0.308))
    sample = next(read_camus(tmp_path, views=["4CH"]))
    assert sample.image.shape == (400, 800)
    assert sample.spacing_mm == pytest.approx((0.154, 0.154))


def test_corrupt_frames_are_named_skipped_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_patient(tmp_path, "patient0001")
    make_patient(tmp_path, "patient0002")
    (tmp_path / "patient0001/patient0001_4CH_ED.nii.gz").write_bytes(b"damaged")
    (tmp_path / "patient0002/patient0002_2CH_ES_gt.nii.gz").unlink()
    with caplog.at_level(logging.WARNING):
        assert len(list(read_camus(tmp_path))) == 6
    assert "patient0001_4CH_ED" in caplog.text
    assert "skipped 2 corrupt or incomplete CAMUS frames of 8" in caplog.text


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no patientNNNN folders"):
        list(open_data(f"camus:{tmp_path}"))
    make_patient(tmp_path, "patient0001")
    with pytest.raises(DataError, match="lacks 1 of the patients asked for: patient0007"):
        list(open_data(f"camus:{tmp_path}", ["patient0001", "patient0007"]))


@pytest.mark.data
def test_the_real_data_set(shared_data: Path) -> None:
    samples = list(read_camus(shared_data / "camus", ["patient0001"]))
    assert len(samples) == 2
    assert set(np.unique(samples[0].mask)) == {0, 1, 2, 3}
    rows = [np.argwhere(samples[0].mask == label).mean(0)[0] for label in (1, 3)]
    assert rows[0] < rows[1]  # the atrium is deeper: the image is upright
    older = list(read_camus(shared_data / "camus_mhd", ["patient0001"]))
    assert len(older) == 4
    assert older[0].spacing_mm == pytest.approx((0.154, 0.154))
