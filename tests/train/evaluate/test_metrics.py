from __future__ import annotations

import numpy as np
import pytest

from train.evaluate.metrics import (
    bootstrap_interval,
    dice,
    distances_summary,
    flicker,
    iou,
    spearman,
    surface_distances,
)


def square(x: int, side: int = 20) -> np.ndarray:
    area = np.zeros((64, 64), bool)
    area[20 : 20 + side, x : x + side] = True
    return area


def test_overlap_of_shifted_squares() -> None:
    assert dice(square(10), square(15)) == pytest.approx(0.75)
    assert iou(square(10), square(15)) == pytest.approx(0.6)
    assert dice(square(10), square(10)) == 1
    assert dice(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) == 1


def test_distances_of_shifted_squares_in_millimetres() -> None:
    summary = distances_summary(surface_distances(square(10), square(14), 0.5))
    assert summary["hd"] == pytest.approx(2.0)
    assert summary["hd95"] == pytest.approx(2.0)
    assert 0.5 < summary["mad"] < 1.5


def test_an_absent_structure_has_no_distance() -> None:
    assert surface_distances(square(10), np.zeros((64, 64), bool), 1.0) is None
    assert np.isnan(distances_summary(None)["hd95"])


def test_the_interval_draws_patients_not_frames() -> None:
    values = np.array([0.0, 0.0, 1.0, 1.0])
    together = bootstrap_interval(values, np.array(["a", "a", "b", "b"]))
    assert together == (0.0, 1.0)
    apart = bootstrap_interval(np.tile([0.4, 0.6], 50), np.array([str(k) for k in range(100)]))
    assert 0.45 < apart[0] < 0.5 < apart[1] < 0.55
    assert np.isnan(bootstrap_interval(np.array([np.nan]), np.array(["a"]))[0])


BEAT = np.array([100.0, 90, 70, 60, 70, 90])


@pytest.mark.parametrize(
    ("found", "share"),
    [
        (BEAT, 0.0),
        (BEAT + 15, 0.0),  # too large, but as steady as the heart
        (BEAT + np.array([4, -4, 4, -4, 4, -4]), 8 / 80),
        (np.full(6, 80.0), 14 / 80),  # a contour that does not follow is as wrong as one that trembles
    ],
)
def test_flicker_is_change_beyond_the_true_one(found: np.ndarray, share: float) -> None:
    assert flicker(found, BEAT) == pytest.approx(share)


def test_a_single_frame_has_no_flicker() -> None:
    assert np.isnan(flicker(np.ones(1), np.ones(1)))


def test_rank_correlation_with_ties() -> None:
    assert spearman(np.array([1, 2, 3, 4]), np.array([10, 20, 30, 31])) == pytest.approx(1)
    assert spearman(np.array([1.0, 1, 2, 3]), np.array([4.0, 4, 2, 1])) == pytest.approx(-1)
