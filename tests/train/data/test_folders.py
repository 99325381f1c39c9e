from __future__ import annotations

import csv
import json
import logging
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edge.errors import DataError
from edge.heart.regions import REGIONS
from tests.phantom import apical_frame, apical_mask
from tests.train.small import SIZE_PX, write_camus, write_itk
from train.data import READERS, open_data
from train.data.camus import CamusInfo, read_info, read_reference_ef
from train.data.cetus import long_axis
from train.data.echonet import outline, read_echonet
from train.data.folder import COLUMNS
from train.data.regional_quality import QualitySample, read_quality, region_index, score_of
from train.data.sample import LV


def test_camus_half_sequence_marks_ed_and_es(tmp_path: Path) -> None:
    write_camus(tmp_path, 1)
    found = list(open_data(f"camus-sequence:{tmp_path}"))
    assert [s.phase for s in found] == ["ED", "", "ES"]
    assert found[1].source == "camus/patient0001_4CH_half_sequence#1"


def test_info_of_the_nifti_release(tmp_path: Path) -> None:
    write_camus(tmp_path, 1)
    info = read_info(tmp_path / "patient0001" / "Info_4CH.cfg")
    assert info == CamusInfo(
        ed_frame=1, es_frame=3, frame_count=3, quality="Good", common_height_ef_percent=54.0, frame_rate_hz=48.4
    )
    reference = read_reference_ef(tmp_path)
    assert (reference.biplane, reference.common_height) == ({}, {"patient0001": 54.0})


@pytest.mark.parametrize("text", ["", "ED: x\nES: 3\nNbFrame: 3\nImageQuality: Good\nEF: 50", "ED: 1\nES: 3\nEF: 50"])
def test_info_says_what_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "Info_4CH.cfg").write_text(text)
    with pytest.raises(DataError, match="is not a CAMUS Info file"):
        read_info(tmp_path / "Info_4CH.cfg")


@pytest.mark.data
def test_the_real_metaimage_release(shared_data: Path) -> None:
    root = shared_data / "camus_mhd"
    info = read_info(root / "patient0001" / "Info_4CH.cfg")
    assert info == CamusInfo(
        ed_frame=1,
        es_frame=20,
        frame_count=20,
        quality="Good",
        biplane_ef_percent=63.2,
        edv_ml=94.0,
        esv_ml=34.6,
    )
    found = list(open_data(f"camus:{root}", ["patient0001"]))
    assert [(s.view, s.phase) for s in found] == [("A4C", "ED"), ("A4C", "ES"), ("A2C", "ED"), ("A2C", "ES")]
    assert found[2].spacing_mm == (0.154, 0.154)
    assert found[2].image.shape == (778, 1098)
    assert set(np.unique(found[0].mask)) == {0, 1, 2, 3}


def write_echonet(root: Path) -> None:
    """Two videos of six frames, the first traced at frames 1 (large) and 4 (small) as the data set does, the second
    not.
    """
    (root / "Videos").mkdir(parents=True)
    for name in ("0X1A", "0X2B"):
        with av.open(str(root / "Videos" / f"{name}.avi"), "w") as container:
            stream = container.add_stream("mjpeg", rate=30, options={"qscale": "2"})
            stream.width, stream.height, stream.pix_fmt = 112, 112, "yuvj420p"
            for level in range(6):
                picture = av.VideoFrame.from_ndarray(np.full((112, 112), 40 * level, np.uint8), format="gray")
                container.mux(stream.encode(picture.reformat(format="yuvj420p")))
            container.mux(stream.encode())
    with (root / "FileList.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split"])
        rows.writerow(["0X1A", 55, 40, 90, 112, 112, 30, 6, "TRAIN"])
        rows.writerow(["0X2B", 55, 40, 90, 112, 112, 30, 6, "VAL"])
    with (root / "VolumeTracings.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["FileName", "X1", "Y1", "X2", "Y2", "Frame"])
        for frame, half in ((4, 10), (1, 20)):
            rows.writerow(["0X1A.avi", 56, 20, 56, 90, frame])
            for y in range(20, 91, 5):
                rows.writerow(["0X1A.avi", 56 - half, y, 56 + half, y, frame])


def test_echonet_traces_and_splits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_echonet(tmp_path)
    with caplog.at_level(logging.WARNING):
        found = {s.phase: s for s in open_data(f"echonet:{tmp_path}")}
    assert "skipped 0X2B: ED and ES are not both traced" in caplog.text
    assert {phase: s.source for phase, s in found.items()} == {"ED": "echonet/0X1A#1", "ES": "echonet/0X1A#4"}
    assert found["ED"].mask.sum() == 41 * 71
    assert abs(int(found["ES"].image[50, 50]) - 160) < 8
    assert np.isnan(found["ED"].spacing_mm).all()
    assert {s.known for s in found.values()} == {(LV,)}
    assert len(list(open_data(f"echonet-train:{tmp_path}"))) == 2
    with pytest.raises(DataError, match="no readable EchoNet-Dynamic frame"):
        list(open_data(f"echonet-val:{tmp_path}"))
    with pytest.raises(DataError, match="0X9"):
        read_echonet(tmp_path, ["0X9"])


def test_echonet_outline_leaves_the_long_axis_out() -> None:
    chords = np.array([[5, 0, 5, 9], [4, 1, 6, 1], [3, 5, 7, 5]], float)
    assert outline(chords).tolist() == [[4, 1], [3, 5], [7, 5], [6, 1]]


@pytest.mark.parametrize(
    ("name", "truth"),
    [("patient01/patient01_ED.nii.gz", "_gt.nii.gz"), ("Patient1/Patient1_ED.mhd", "_truth.mhd")],
)
def test_cetus_slices_across_the_long_axis(tmp_path: Path, name: str, truth: str) -> None:
    z, y, x = np.mgrid[:20, :24, :40]
    lv = ((z - 10) / 6) ** 2 + ((y - 12) / 6) ** 2 + ((x - 20) / 15) ** 2 <= 1
    path = tmp_path / name
    write_itk((lv * 100 + 20).astype(np.uint8), (1.0, 1.0, 1.0), path)
    write_itk(lv.astype(np.uint8), (1.0, 1.0, 1.0), path.with_name(path.name.split(".")[0] + truth))
    found = list(open_data(f"cetus:{tmp_path}"))
    assert long_axis(lv, (1.0, 1.0, 1.0)) == 2
    assert len(found) == 16  # 31 slices hold LV, every second is kept
    assert all(s.mask.any() and s.image.shape == (20, 24) for s in found)
    assert {(s.view, s.phase, s.patient) for s in found} == {("SAX", "ED", path.parent.name)}
    assert {s.known for s in found} == {(LV,)}


def test_cetus_long_axis_is_measured_in_mm() -> None:
    lv = np.zeros((10, 10, 10), bool)
    lv[2:5, 2:8, 4] = True
    assert long_axis(lv, (1.0, 1.0, 1.0)) == 1
    assert long_axis(lv, (9.0, 1.0, 1.0)) == 0


LABELS = (5, "good", 3, "2", "not visible", 4, "", None)
EXPECTED = [5, 4, 3, 2, 1, 4, np.nan, np.nan]


def write_quality_csv(root: Path) -> None:
    with (root / "quality.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "patient", "view", *REGIONS])
        rows.writerow(["a.png", "p1", "A2C", *LABELS])
        rows.writerow(["a.png", "p2", "A2C", 9, *LABELS[1:]])


def write_quality_json(root: Path) -> None:
    scores = dict(zip(REGIONS, LABELS))
    frames = [
        {"image": image, "patient": p, "view": "A2C", "scores": scores}
        for image, p in (("a.png", "p1"), ("b.png", "p2"))
    ]
    (root / "quality.json").write_text(json.dumps(frames))


def write_quality_export(root: Path) -> None:
    folder = root / "HUNT4" / "p1" / "A2C_1"
    folder.mkdir(parents=True)
    (root / "a.png").rename(folder / "frame_12.png")
    names = ["basal inferior", "Mid_inferior", "apical left", "apical anterior", "mid anterior", "basal right"]
    lines = [f"{name} = {label}" for name, label in zip([*names, "annulus left", "annulus right"], LABELS[:6])]
    (folder / "frame_12_image_quality.txt").write_text("\n".join([*lines, "annulus left = Out of sector"]))
    (folder / "frame_13_image_quality.txt").write_text("annulus left = 3")


@pytest.mark.parametrize("write", [write_quality_csv, write_quality_json, write_quality_export])
def test_regional_quality_layouts(tmp_path: Path, write, caplog: pytest.LogCaptureFixture) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), apical_frame(size=SIZE_PX))
    write(tmp_path)
    with caplog.at_level(logging.WARNING):
        found: list[QualitySample] = list(read_quality(tmp_path))
    assert [(s.patient, s.view, s.image.shape) for s in found] == [("p1", "A2C", (120, 120))]
    np.testing.assert_array_equal(found[0].scores, np.array(EXPECTED, np.float32))
    assert "skipped 1 corrupt" in caplog.text


def test_regional_quality_names() -> None:
    assert region_index("basal anteroseptal") == REGIONS.index("basal right")
    with pytest.raises(DataError, match="is not a region"):
        region_index("papillary")
    with pytest.raises(DataError, match="is not a score"):
        score_of("fair")


def test_a_folder_skips_bad_rows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("i.png", "m.png"):
        cv2.imwrite(str(tmp_path / name), apical_mask(size=SIZE_PX))
    rows = [["i.png", "m.png", "1", "1", "A4C", "ED", "p1"], ["i.png", "no.png", "1", "1", "A4C", "ED", "p2"]]
    text = "\n".join(",".join(row) for row in [list(COLUMNS), *rows])
    (tmp_path / "frames.csv").write_text(text)
    with caplog.at_level(logging.WARNING):
        assert [s.patient for s in open_data(f"folder:{tmp_path}")] == ["p1"]
    assert "no.png is missing" in caplog.text


@pytest.mark.parametrize("place", ["camus", "nothing:/tmp", "camus:"])
def test_unknown_places_list_the_kinds(place: str) -> None:
    with pytest.raises(DataError, match=", ".join(READERS)):
        open_data(place)
