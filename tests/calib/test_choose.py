from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.choose import check_disjoint, choose_frames, read_set, write_set
from calib.drift import drift_of
from calib.feed import FrameFeed, spread
from calib.frames import Candidate, Frame, describe, digest_of, read_recordings
from calib.report import coverage_of, html_of
from edge.errors import DataError


def sector(seed: int, gain: float = 1.0) -> np.ndarray:
    """A speckled fan on black, 160 x 160 uint8."""
    picture = np.zeros((160, 160), np.uint8)
    cv2.ellipse(picture, (80, 5), (150, 150), 90, -40, 40, 255, cv2.FILLED)
    speckle = np.random.default_rng(seed).rayleigh(40 * gain, picture.shape)
    return np.where(picture > 0, np.clip(speckle + 25, 0, 255), 0).astype(np.uint8)


def frame(patient: int, view: str, phase: str, gain: float) -> Frame:
    candidate = Candidate(sector(patient, gain), "folder", f"{patient}-{view}-{phase}", f"p{patient}", view, phase)
    return describe(candidate)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """40 patients, far more A4C than A2C."""
    return [frame(p, "A2C" if p % 8 == 0 else "A4C", "ED" if p % 2 else "ES", 0.6 + p / 40) for p in range(40)]


def test_every_level_of_a_factor_is_present_as_evenly_as_the_frames_allow(frames: list[Frame]) -> None:
    chosen = choose_frames(frames, 10, [])
    views = Counter(f.view for f in chosen.frames)
    assert views["A2C"] >= 3  # an eighth of the frames, at least three of ten drawn
    assert {f.phase for f in chosen.frames} == {"ED", "ES"}
    assert min(coverage_of(chosen)["gain"].values()) >= 2
    assert len({f.patient for f in chosen.frames}) == 10


def test_the_seed_decides(frames: list[Frame]) -> None:
    assert choose_frames(frames, 10, [], seed=1).sha256 == choose_frames(frames, 10, [], seed=1).sha256
    assert choose_frames(frames, 10, [], seed=1).sha256 != choose_frames(frames, 10, [], seed=2).sha256


def test_held_out_patients_are_never_drawn(frames: list[Frame]) -> None:
    held_out = [f"p{i}" for i in range(30)]
    chosen = choose_frames(frames, 40, held_out)
    assert len(chosen.frames) == 10
    check_disjoint(chosen, held_out)


def test_a_set_with_an_evaluation_patient_is_refused_by_name(frames: list[Frame]) -> None:
    chosen = choose_frames(frames, 40, [])
    with pytest.raises(DataError, match=r"1 evaluation patients: p7; .*--exclude"):
        check_disjoint(chosen, ["p7", "p99"])


def test_all_patients_held_out_is_refused(frames: list[Frame]) -> None:
    with pytest.raises(DataError, match="kept for evaluation"):
        choose_frames(frames, 4, [f.patient for f in frames])


def test_a_set_survives_the_disk(frames: list[Frame], tmp_path: Path) -> None:
    chosen = choose_frames(frames, 6, [])
    write_set(chosen, tmp_path / "sub" / "set.json")
    assert read_set(tmp_path / "sub" / "set.json") == chosen
    (tmp_path / "bad.json").write_text('{"schema": 1}')
    with pytest.raises(DataError, match="calib choose"):
        read_set(tmp_path / "bad.json")


def test_the_digest_is_of_pixels_and_shape() -> None:
    image = sector(0)
    assert digest_of(image) == digest_of(image.copy())
    assert digest_of(image) != digest_of(image.reshape(80, 320))


def test_drift_warns_of_another_grey_curve_only(frames: list[Frame]) -> None:
    chosen = choose_frames(frames, 30, [])
    assert not drift_of(chosen, [frame(100, "A4C", "", 1.1)]).has_drifted
    assert drift_of(chosen, [frame(100, "A4C", "", 4.0)]).has_drifted


def test_the_report_is_one_file_without_links(frames: list[Frame]) -> None:
    html = html_of(choose_frames(frames, 6, []))
    assert html.startswith("<!doctype html>")
    assert "<svg" in html
    assert "http" not in html


def test_recordings_name_their_patients_by_folder(tmp_path: Path) -> None:
    for patient in ("anna", "ben"):
        (tmp_path / patient).mkdir()
        cv2.imwrite(str(tmp_path / patient / "a.png"), sector(len(patient)))
    (tmp_path / "notes.txt").write_text("no picture")
    found = list(read_recordings(tmp_path))
    assert [(c.source, c.patient) for c in found] == [("anna/a.png#0", "anna"), ("ben/a.png#0", "ben")]
    with pytest.raises(DataError, match="no recording"):
        list(read_recordings(tmp_path / "none"))


def test_feeds_start_anew() -> None:
    inputs = [np.full((1, 1, 2, 2), i, np.uint8) for i in range(3)]
    feed = FrameFeed("frame", inputs)
    assert [int(run["frame"][0, 0, 0, 0]) for run in [*feed, *feed]] == [0, 1, 2, 0, 1, 2]


def test_a_spread_of_a_feed_is_even_and_bounded() -> None:
    feed = FrameFeed("frame", list(range(10)))
    assert [run["frame"] for run in spread(feed, 5)] == [0, 2, 4, 6, 8]
    assert [run["frame"] for run in spread(feed, 20)] == list(range(10))
