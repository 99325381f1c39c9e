"""STAPLE and the metrics of uncertainty."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import DataError
from train.diffusion.staple import staple, staple_of
from train.diffusion.uncertainty import boundary_band, brier, energy_distance, error_auroc, expected_calibration_error


def disc(x: float, radius: float = 20, size: int = 96) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    return (columns - x) ** 2 + (rows - size / 2) ** 2 < radius**2


def test_two_raters_are_degenerate() -> None:
    """SimpleITK's STAPLE of two masks knows no better than even odds where they differ, so ours refuses them."""
    import SimpleITK

    a, b = disc(45), disc(51)
    images = [SimpleITK.GetImageFromArray(m.astype(np.uint8)) for m in (a, b)]
    found = SimpleITK.GetArrayFromImage(SimpleITK.STAPLE(images, 1.0))
    assert np.abs(found[a ^ b] - 0.5).max() < 0.05
    with pytest.raises(DataError, match="2 masks is degenerate"):
        staple([a, b])


def test_many_raters_outvote_a_poor_one() -> None:
    raters = [disc(48 + d) for d in (-1, 0, 0, 1)] + [disc(20, 8)]
    fused = staple(raters) > 0.5
    assert (fused ^ disc(48)).sum() < 0.1 * disc(48).sum()
    assert not fused[disc(20, 6)].any()


def test_an_empty_rater_gives_the_mean() -> None:
    raters = [disc(48), disc(48), np.zeros_like(disc(48))]
    np.testing.assert_allclose(staple(raters), np.mean(raters, axis=0), atol=1e-6)


def test_probabilities_are_cut_at_one_half() -> None:
    maps = [disc(48) * 0.9 + 0.05] * 3
    assert ((staple_of(maps) > 0.5) == disc(48)).all()


def test_calibration_error_of_known_maps() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random((400, 400))
    honest = rng.random((400, 400)) < probability
    assert expected_calibration_error(probability, honest) < 0.01
    assert expected_calibration_error(np.full((10, 10), 0.9), np.zeros((10, 10), bool)) == pytest.approx(0.9)
    assert expected_calibration_error(np.ones((4, 4)), np.ones((4, 4), bool)) == 0
    assert brier(np.full((2, 2), 0.5), np.ones((2, 2), bool)) == 0.25


def test_the_band_surrounds_the_border() -> None:
    mask = disc(48)
    band = boundary_band(mask)
    assert band[48, 67]
    assert band[48, 69]
    assert not band[48, 48]
    assert not band[0, 0]
    assert 0.03 < band.mean() < 0.12
    assert boundary_band(np.zeros((5, 5), bool)).all()


def test_auroc_of_known_orders() -> None:
    wrong = np.array([False, False, True, True])
    assert error_auroc(np.array([0.1, 0.2, 0.8, 0.9]), wrong) == 1
    assert error_auroc(np.array([0.9, 0.8, 0.2, 0.1]), wrong) == 0
    assert error_auroc(np.full(4, 0.3), wrong) == 0.5
    assert np.isnan(error_auroc(np.arange(3.0), np.zeros(3, bool)))


def test_energy_distance() -> None:
    mask = disc(48)
    assert energy_distance(np.stack([mask, mask]), mask) == 0
    far = np.stack([disc(20, 5), disc(20, 5)])
    assert energy_distance(far, mask) == 2
    spread = np.stack([disc(44), disc(52)])
    assert 0 < energy_distance(spread, mask) < energy_distance(np.stack([disc(52), disc(52)]), mask)
