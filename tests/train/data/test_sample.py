"""What a sample annotates."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from tests.train.small import samples
from train.data import open_data
from train.data.folder import COLUMNS
from train.data.sample import EVERY, LA, LV, MYOCARDIUM, Known, isotropic, only_known


def test_a_mask_with_the_known_classes_alone() -> None:
    mask = np.arange(4, dtype=np.uint8).reshape(2, 2)
    assert only_known(mask, EVERY) is mask
    assert only_known(mask, (LV,)).tolist() == [[0, 1], [0, 0]]
    assert only_known(mask, (LV, LA)).tolist() == [[0, 1], [0, 3]]


def test_every_class_is_known_unless_a_reader_says_otherwise() -> None:
    sample = samples(1)[0]
    assert sample.known == EVERY
    wide = replace(sample, spacing_mm=(1.0, 2.0), known=(LV,))
    assert isotropic(wide).known == (LV,)
    for known in ((), (0, LV), (4,)):
        with pytest.raises(DataError, match="its known classes are"):
            replace(sample, known=known)


@pytest.mark.parametrize(
    ("classes", "known"), [("", EVERY), (None, EVERY), ("lv", (LV,)), ("LV myo", (LV, MYOCARDIUM))]
)
def test_a_folder_may_say_what_it_annotates(classes: str | None, known: Known, tmp_path: Path) -> None:
    sample = samples(1)[0]
    cv2.imwrite(str(tmp_path / "image.png"), sample.image)
    cv2.imwrite(str(tmp_path / "mask.png"), sample.mask)
    row = ["image.png", "mask.png", 1, 1, "A4C", "ED", "p1"]
    with (tmp_path / "frames.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *(["classes"] if classes is not None else [])])
        writer.writerow([*row, *([classes] if classes is not None else [])])
    assert [found.known for found in open_data(f"folder:{tmp_path}")] == [known]


def test_a_folder_with_an_unknown_class_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sample = samples(1)[0]
    cv2.imwrite(str(tmp_path / "image.png"), sample.image)
    cv2.imwrite(str(tmp_path / "mask.png"), sample.mask)
    (tmp_path / "frames.csv").write_text(
        f"{','.join(COLUMNS)},classes\nimage.png,mask.png,1,1,A4C,ED,p1,lv aorta\n", encoding="utf-8"
    )
    with pytest.raises(DataError, match="no readable folder frame"):
        list(open_data(f"folder:{tmp_path}"))
    assert "its classes name 'aorta'; they are lv, myo, la, separated by blanks" in caplog.text
