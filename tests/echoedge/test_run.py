"""`echoedge.run`: what `echoedge run` finds, in arrays."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import echoedge
from edge.errors import EchoEdgeError, ModelError, SourceError
from edge.run import main
from edge.sources import open_source

LOOP = "synth://a4c?seed=3&fps=30&severity=0&frames=40"


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a .jsonl, but for how long each frame took."""
    return [{**json.loads(line), "age_ms": 0} for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def result(sonosite: str) -> echoedge.Result:
    return echoedge.run(sonosite, view="A4C")


@pytest.fixture(scope="module")
def written(sonosite: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line writes of the same file."""
    folder = tmp_path_factory.mktemp("out")
    assert main([sonosite, "--view", "A4C", "--out", str(folder), "--name", "x"]) == 0
    return folder


def test_it_is_what_the_command_line_writes(result: echoedge.Result, written: Path, tmp_path: Path) -> None:
    lines = lines_of(written / "x.jsonl")
    assert lines_of(result.save(tmp_path / "y.jsonl")) == lines
    rows = result.to_rows()
    assert len(result) == len(rows) == len(lines) == 30
    assert len({tuple(row) for row in rows}) == 1
    for row, line in zip(rows, lines, strict=True):
        for name in ("frame", "time_s", "lv_area_px", "lv_area_cm2", "lv_volume_ml"):
            assert row[name] == line[name]
        assert row["ef_percent"] == ((line["heart"] or {}).get("ef_percent") or {"median": None})["median"]
        assert [value for name, value in row.items() if name.startswith("quality_")] == list(line["quality"].values())
    assert all(isinstance(value, int | float | str | None) for row in rows for value in row.values())
    assert list(result.frame_numbers) == [line["frame"] for line in lines]
    assert result.view == "A4C"
    assert result.beats
    assert result.ef == result.report.heart["ef_percent"]["median"]  # type: ignore[union-attr]


def test_its_arrays_are_on_the_picture(result: echoedge.Result, sonosite: str) -> None:
    with open_source(sonosite) as source:
        pictures = np.stack([frame.image for frame in source])
    masks = result.mask
    assert (masks.shape, masks.dtype) == (pictures.shape[:3], np.uint8)
    assert (result.scores.shape, result.scores.dtype) == ((30, 8), np.float32)
    assert set(np.unique(masks)) == {0, 1, 2, 3}
    assert (result.mask_at(7) == masks[7]).all()
    # The cavity that is measured is the cavity of the mask, within what a coarser grid's pixels cost.
    for mask, row in zip(masks, result.to_rows(), strict=True):
        assert np.count_nonzero(mask == 1) == pytest.approx(row["lv_area_px"], rel=0.03)
    cavity = pictures[..., 0][masks == 1].mean()
    assert cavity < pictures[..., 0][masks == 2].mean()


def test_its_pictures_are_those_of_the_command_line(result: echoedge.Result, written: Path, tmp_path: Path) -> None:
    expected = cv2.cvtColor(cv2.imread(str(written / "x_best.png")), cv2.COLOR_BGR2RGB)
    assert (result.plot() == expected).all()
    assert result._repr_png_() == (written / "x_best.png").read_bytes()
    assert result.save(tmp_path / "y_best.png").read_bytes() == (written / "x_best.png").read_bytes()
    one = result.plot(frame=2)
    assert (one.shape, one.dtype) == ((580, 640, 3), np.uint8)
    video = result.save(tmp_path / "y.mp4")
    with open_source(str(video)) as source:
        assert [frame.image.shape for frame in source] == [(720, 1280, 3)] * 30
    with pytest.raises(EchoEdgeError, match=r"there is no frame 99; .* has 0 to 29"):
        result.plot(99)


def test_a_table_can_be_read(result: echoedge.Result, tmp_path: Path) -> None:
    with result.save(tmp_path / "new" / "y.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["time_s"]) for row in rows] == list(result.times_s)
    assert [row["lv_area_px"] for row in rows] == [str(row["lv_area_px"]) for row in result.to_rows()]


def test_it_is_small_and_can_be_sent_to_another_process(result: echoedge.Result) -> None:
    again = pickle.loads(pickle.dumps(result))
    assert (again.mask == result.mask).all()
    assert again.to_rows() == result.to_rows()
    packed = sum(len(mask.packed) for mask in result.masks) + sum(map(len, result.lines))
    assert packed / len(result) < 6000


def test_an_array_is_analysed_like_the_file_it_is_from() -> None:
    with open_source(LOOP) as source:
        frames, spacing = [frame.image for frame in source], source.stated.spacing_mm
    grey = np.stack(frames)
    expected = echoedge.run(LOOP, view="A4C")
    assert expected.ef is not None
    for pictures in (grey, grey[..., None], np.stack([grey] * 3, -1)):
        found = echoedge.run(pictures, fps=30, spacing_mm=spacing, view="A4C")
        rows = [{**row, "mm_per_px_from": "synthetic"} for row in found.to_rows()]
        assert rows == expected.to_rows()
        assert (found.mask == expected.mask).all()
    assert found.to_rows()[0]["mm_per_px_from"] == "given"
    assert found.ef == expected.ef
    single = echoedge.run(grey[0], view="A4C")
    assert single.mask.shape == (1, 473, 473)
    assert single.plot().shape == (580, 640, 3)
    assert "mm per pixel unknown" in " ".join(single.withheld)


def test_one_of_several_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    missing, flat = tmp_path / "missing.mp4", np.zeros((3, 200, 200), np.uint8)
    results = echoedge.run([missing, f"{LOOP[:-2]}4", flat], view="A4C")
    assert [len(result) for result in results] == [0, 4, 0]
    assert f"{missing} does not exist" in results[0].error
    assert results[1].error == ""
    assert results[2].error
    assert results[0].mask.shape == (0, 0, 0)
    assert results[0].to_rows() == results[0].beats == []
    with pytest.raises(EchoEdgeError, match=r"nothing was analysed of .*missing\.mp4"):
        results[0].plot()


@pytest.mark.parametrize(
    ("source", "options", "error", "told"),
    [
        ("nowhere.mp4", {}, SourceError, "nowhere.mp4 does not exist; give a video"),
        (LOOP, {"fps": 25}, SourceError, "fps is given for synth.*; it is for arrays"),
        (LOOP, {"view": "PLAX"}, EchoEdgeError, "view is 'PLAX'; give '' to recognise it, or one of A4C"),
        (LOOP, {"depth_cm": 99}, EchoEdgeError, "depth_cm is 99; give 0 for not known, or 1 to 40"),
        (LOOP, {"model": "pspnet-mc"}, ModelError, "'pspnet-mc' is neither a model folder nor the name"),
        (f"{LOOP}&pace=native", {}, SourceError, "'pace' is no option of a synthetic source"),
        (3.5, {}, SourceError, "a source is a path, an address or an array, not float"),
        (np.zeros((3, 200, 200)), {}, SourceError, "the array holds float64"),
        (np.zeros((3, 200, 200), np.uint8), {}, SourceError, "no ultrasound sector is visible in a 200x200 picture"),
    ],
)
def test_refusals(source: Any, options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        echoedge.run(source, **options)


def test_a_live_signal_is_left_to_stream(sonosite: str) -> None:
    with pytest.raises(SourceError, match=r"is a live signal, which has no end; take .*echoedge\.stream"):
        echoedge.run(f"{sonosite}?pace=native")


def test_saving_refuses_the_source_and_other_suffixes(tmp_path: Path) -> None:
    with open_source(LOOP) as source:
        cv2.imwrite(str(tmp_path / "x.png"), next(iter(source)).image)
    result = echoedge.run(tmp_path / "x.png")
    with pytest.raises(EchoEdgeError, match="is the source itself"):
        result.save(tmp_path / "x.png")
    with pytest.raises(EchoEdgeError, match=r"no known suffix; use a name ending in .*\.mp4.*\.csv"):
        result.save(tmp_path / "x.avi")
