import json
from pathlib import Path

import numpy as np
import pytest

from edge.cli import main
from edge.errors import EchoEdgeError
from edge.heart.regions import REGIONS
from edge.sources import open_source
from edge.synth import SyntheticLoop
from edge.synth.compression import h264
from edge.synth.export import write_video

SMALL = ["--size", "97", "--fps", "20", "--seed", "4"]


def facts_of(capsys: pytest.CaptureFixture[str], args: list[str]) -> list[dict]:
    assert main(["synth", *args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_video_has_its_frames_and_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = facts_of(capsys, ["--out", str(tmp_path), "--count", "2", "--view", "mixed", *SMALL])
    assert [f["view"] for f in facts] == ["A2C", "A3C"]
    for fact in facts:
        path = Path(fact["file"])
        assert json.loads(path.with_suffix(".json").read_text()) == fact
        assert set(fact["quality"]["ED"]) == set(REGIONS)
        with open_source(str(path)) as source:
            images = [captured.image for captured in source]
        assert len(images) == fact["frames"] == fact["frames_per_beat"]
        assert images[0].shape == (98, 98, 3)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("layout", ["none", "screen6"])
def test_dicom_comes_back_with_its_spacing(layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pydicom")
    args = ["--out", str(tmp_path), "--format", "dicom", "--layout", layout, "--fps", "10", "--seed", "4"]
    fact = facts_of(capsys, args)[0]
    loop = SyntheticLoop(4, "A4C", 473 if layout == "none" else 400, fps=10)
    with open_source(fact["file"]) as source:
        assert source.stated.spacing_mm == pytest.approx(loop.spacing_mm, rel=1e-6)
        assert source.fps == pytest.approx(10)
        images = [captured.image for captured in source]
        region = source.region
    assert len(images) == len(loop)
    assert region is not None
    x0, y0, x1, y1 = region
    echo = images[3][y0:y1, x0:x1]
    echo = echo if echo.ndim == 2 else echo[:, :, 0]
    np.testing.assert_array_equal(echo[loop.sector], loop.frame(3).image[loop.sector])


def test_the_same_loop_gives_the_same_dicom_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pydicom")
    files = []
    for name in ("a", "b"):
        facts = facts_of(capsys, ["--out", str(tmp_path / name), "--format", "dicom", *SMALL])
        files.append(Path(facts[0]["file"]).read_bytes())
    assert files[0] == files[1]


def test_nifti_comes_with_its_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sitk = pytest.importorskip("SimpleITK")
    fact = facts_of(capsys, ["--out", str(tmp_path), "--format", "nifti", *SMALL])[0]
    stem = fact["file"].removesuffix(".nii.gz")
    image, mask = (sitk.ReadImage(f"{stem}{end}") for end in (".nii.gz", "_gt.nii.gz"))
    loop = SyntheticLoop(4, "A4C", 97, fps=20)
    assert image.GetSpacing() == pytest.approx((*loop.spacing_mm, 50), rel=1e-5)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image)[2], loop.frame(2).image)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask)[2], loop.frame(2).mask)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "synth00004_A4C.json",
        "synth00004_A4C.nii.gz",
        "synth00004_A4C_gt.nii.gz",
    ]


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (["--count", "0"], "--count"),
        (["--beats", "0"], "--beats"),
        (["--size", "9"], "9 px"),
        (["--seed", "-3"], "seed"),
        (["--severity", "7"], "severity"),
        (["--jpeg", "101"], "--jpeg"),
    ],
)
def test_bad_options_end_with_one_clear_line(
    args: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", "--out", str(tmp_path / "out"), *args]) == 2
    error = capsys.readouterr().err
    assert word in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["synth", "--out", str(tmp_path / "file")]) == 2
    assert "folder" in capsys.readouterr().err


def test_a_video_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broadcast"):
        write_video(tmp_path / "loop.mp4", [np.zeros((20, 20), np.uint8), np.zeros((30, 30), np.uint8)], 30)
    assert not list(tmp_path.iterdir())


def test_h264_needs_even_sides() -> None:
    with pytest.raises(EchoEdgeError, match="even"):
        h264([np.zeros((21, 20), np.uint8)], 30, 23)
