from __future__ import annotations

import numpy as np
import pytest

from edge.regions import find_regions
from tests.phantom import apical_frame, apical_mask, sector_mask
from train.degrade import degrade_regions, gcnr
from train.metrics import spearman
from train.regional import MIRRORED


def test_gcnr_of_equal_and_of_disjoint_densities() -> None:
    rng = np.random.default_rng(0)
    same = rng.integers(0, 100, 20_000).astype(np.uint8)
    assert gcnr(same, rng.permutation(same)) == pytest.approx(0, abs=1e-9)
    assert gcnr(np.full(50, 10, np.uint8), np.full(50, 200, np.uint8)) == pytest.approx(1)


def test_degradation_lowers_scores_by_its_severity_and_spares_other_regions() -> None:
    image, mask, sector = apical_frame(), apical_mask(), sector_mask()
    made = degrade_regions(image, mask, sector, np.random.default_rng(4))
    clear = degrade_regions(image, mask, sector, np.random.default_rng(4), p_degrade=0)
    assert made is not None
    assert clear is not None
    _, before, nothing = clear
    degraded, after, severity = made
    assert np.array_equal(clear[0], image)
    assert not np.nansum(nothing)
    expected = 1 + (before - 1) * (1 - severity)
    assert np.nanmax(np.abs(after - expected)) < 0.35  # neighbours' soft edges change a region's own contrast a little
    labels = find_regions(mask, None, sector).labels  # type: ignore[union-attr]
    worst = int(np.nanargmax(severity))
    change = np.abs(degraded.astype(int) - image)[labels == worst + 1].mean()
    assert change > 5


def test_mirroring_swaps_left_and_right() -> None:
    assert [MIRRORED[MIRRORED[k]] for k in range(8)] == list(range(8))
    assert MIRRORED[0] == 5
    assert MIRRORED[6] == 7


def test_rank_correlation_with_ties() -> None:
    assert spearman(np.array([1, 2, 3, 4]), np.array([10, 20, 30, 31])) == pytest.approx(1)
    assert spearman(np.array([1.0, 1, 2, 3]), np.array([4.0, 4, 2, 1])) == pytest.approx(-1)
