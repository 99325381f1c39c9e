"""Pixels of other types than 8 bits, and tables that a spreadsheet has saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.errors import DataError
from tests.train.data.test_folders import write_echonet
from train.data.camus import read_camus, read_reference_ef
from train.data.echonet import read_echonet
from train.data.reading import grey_levels, labels_of

RAMP = np.arange(256, dtype=np.float64).reshape(16, 16)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (RAMP.astype(np.uint8), RAMP),
        (RAMP.astype(np.int16), RAMP),
        (RAMP.astype(np.float32), RAMP),
        ((RAMP / 255).astype(np.float32), RAMP),
        ((RAMP * 257).astype(np.uint16), RAMP),
        ((RAMP * 100 - 1000).astype(np.int16), RAMP),
        (RAMP / 2 + 0.3, RAMP / 2 + 0.3),
        (np.zeros((4, 4), np.int16), np.zeros((4, 4))),
        (np.zeros((4, 4)), np.zeros((4, 4))),
        (np.ones((4, 4), np.uint8), np.ones((4, 4))),
    ],
)
def test_grey_levels_of_any_type(pixels: NDArray[np.generic], expected: NDArray[np.float64]) -> None:
    found = grey_levels(pixels)
    assert found.dtype == np.uint8
    assert np.abs(found - expected).max() <= 0.5 + 1e-6


@given(st.lists(st.floats(-1e6, 1e6) | st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=30))
@example([0.0, 0.0, 0.0, -2.225073858507203e-309])
@example([-1.7e308, 0.0, 1.0, 1.7e308])
def test_brighter_stays_brighter(values: list[float]) -> None:
    pixels = np.array(values)
    found = grey_levels(pixels).astype(int)
    order = np.argsort(pixels, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


@pytest.mark.parametrize("pixels", [np.array([[1.0, np.nan]]), np.array([[np.inf, 0]]), np.zeros((2, 2), complex)])
def test_what_is_no_number_is_refused(pixels: NDArray[np.generic]) -> None:
    with pytest.raises(DataError, match="finite"):
        grey_levels(pixels)


def test_labels_are_never_stretched() -> None:
    assert labels_of(np.array([[0.0, 1.0], [2.0, 3.0]])).tolist() == [[0, 1], [2, 3]]
    for wrong in (np.array([[0.5]]), np.array([[-1]]), np.array([[300]]), np.array([[np.nan]])):
        with pytest.raises(DataError, match="mask"):
            labels_of(wrong)


@pytest.mark.parametrize(("scale", "kind"), [(1 / 255, "float32"), (100, "int16"), (200, "uint16"), (1, "float64")])
def test_camus_images_of_any_type(tmp_path: Path, scale: float, kind: str) -> None:
    itk = pytest.importorskip("SimpleITK", reason="pip install SimpleITK")
    rows, columns = np.mgrid[:90, :70]
    inside = ((rows - 40) / 30) ** 2 + ((columns - 35) / 18) ** 2 < 1
    folder = tmp_path / "patient0001"
    folder.mkdir()
    for name, pixels in (("", (60 + 80 * ~inside) * scale), ("_gt", inside)):
        image = itk.GetImageFromArray(pixels.astype(kind if not name else "uint8"))
        image.SetSpacing((0.3, 0.3))
        itk.WriteImage(image, str(folder / f"patient0001_4CH_ED{name}.nii.gz"))
    (sample,) = read_camus(tmp_path)
    assert sample.image[0, 0] > 100 > sample.image[40, 35]
    assert sample.mask.sum() == inside.sum()


def rewrite(path: Path, *changes: tuple[str, str], bom: bool = False) -> None:
    text = path.read_text()
    for old, new in changes:
        text = text.replace(old, new)
    path.write_text(("\ufeff" if bom else "") + text)


def test_tables_that_a_spreadsheet_has_saved(tmp_path: Path) -> None:
    write_echonet(tmp_path)
    rewrite(tmp_path / "FileList.csv", bom=True)
    rewrite(tmp_path / "VolumeTracings.csv", (",4\n", ",4.0\n"), (",1\n", ",1.0\n"), bom=True)
    assert [s.source for s in read_echonet(tmp_path, ["0X1A"])] == ["echonet/0X1A#4", "echonet/0X1A#1"]


@pytest.mark.parametrize("value", ["4.5", "", "four", "inf"])
def test_a_frame_that_is_no_number_is_named_with_its_line(tmp_path: Path, value: str) -> None:
    write_echonet(tmp_path)
    rewrite(tmp_path / "VolumeTracings.csv", (",90,4\n", f",90,{value}\n"))
    with pytest.raises(DataError, match=r"VolumeTracings\.csv, line 2: "):
        list(read_echonet(tmp_path))


def test_the_table_of_reference_fractions(tmp_path: Path) -> None:
    table = tmp_path / "patients_info.csv"
    table.write_text("\ufeffPatient,EF\npatient0001,55.5\n")
    assert read_reference_ef(tmp_path).common_height == {"patient0001": 55.5}
    table.write_text("Name;EF\npatient0001;55.5\n")
    with pytest.raises(DataError, match="lacks the columns EF, Patient"):
        read_reference_ef(tmp_path)
    table.write_text("Patient,EF\npatient0001,good\n")
    with pytest.raises(DataError, match="line 2: EF is no number"):
        read_reference_ef(tmp_path)
