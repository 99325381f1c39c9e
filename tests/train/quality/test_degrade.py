from __future__ import annotations

import numpy as np
import pytest

from edge.heart.regions import find_regions
from edge.postprocess import LV
from edge.synth import SyntheticLoop
from edge.synth.truth import SCR_DB
from tests.phantom import apical_frame, apical_mask, sector_mask
from train.evaluate.metrics import spearman
from train.quality.classical import gcnr
from train.quality.degrade import (
    POWER,
    SCORE_AT_ZERO,
    SCORE_PER_GREY,
    Degraded,
    degrade_regions,
    grey_from_power,
)


def degraded(seed: int, p_degrade: float = 0.5) -> Degraded:
    made = degrade_regions(apical_frame(), apical_mask(), sector_mask(), np.random.default_rng(seed), p_degrade)
    assert made is not None
    return made


def test_grey_and_power_are_inverse() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(grey_from_power(POWER[levels]), levels)


def test_nothing_drawn_leaves_the_frame_and_its_contrast_scores() -> None:
    image, mask, sector = apical_frame(), apical_mask(), sector_mask()
    made = degraded(0, p_degrade=0)
    np.testing.assert_array_equal(made.image, image)
    assert np.nanmax(np.abs(made.loss_db)) < 1e-4
    cavity = image[(mask == LV) & sector].mean()
    contrast = image[made.labels == 2].mean() - cavity
    assert made.scores[1] == pytest.approx(np.clip(SCORE_AT_ZERO + SCORE_PER_GREY * contrast, 1, 5), abs=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_scores_fall_with_the_loss_and_only_inside_the_sector(seed: int) -> None:
    before, made = degraded(seed, 0), degraded(seed, 1)
    known = ~np.isnan(made.scores)
    assert known.sum() == 8
    assert (made.scores[known] <= before.scores[known] + 1e-4).all()
    assert (made.scores[known] >= 1).all()
    assert (made.loss_db[known] >= -1e-4).all()
    assert (np.argsort(made.loss_db[:6])[-1]) in np.argsort((before.scores - made.scores)[:6])[-2:]
    np.testing.assert_array_equal(made.image[~sector_mask()], apical_frame()[~sector_mask()])
    worst = int(np.argmax(made.loss_db))
    change = np.abs(made.image.astype(int) - apical_frame())[made.labels == worst + 1].mean()
    assert change > 5


def test_a_mask_without_a_ventricle_gives_nothing() -> None:
    assert (
        degrade_regions(apical_frame(), np.zeros_like(apical_mask()), sector_mask(), np.random.default_rng(0)) is None
    )


def test_the_line_from_contrast_to_score_is_that_of_synthetic_frames() -> None:
    contrasts, gcnrs, scores = [], [], []
    for seed in range(16):
        loop = SyntheticLoop(seed, ("A4C", "A2C")[seed % 2], 192)
        frame = loop.frame(5, quality=True)
        mask = loop.whole_mask(5)
        lumen = frame.image[(mask == LV) & loop.sector]
        labels = find_regions(mask, None, loop.sector).labels  # type: ignore[union-attr]
        for k in np.flatnonzero(frame.visible > 0.95):  # type: ignore[operator]
            if (labels == k + 1).any():
                contrasts.append(frame.image[labels == k + 1].mean() - lumen.mean())
                gcnrs.append(gcnr(frame.image[labels == k + 1], lumen))
                scores.append(np.interp(frame.scr_db[k], SCR_DB, (1, 2, 3, 4, 5)))  # type: ignore[index]
    slope, offset = np.polyfit(contrasts, scores, 1)
    assert slope == pytest.approx(SCORE_PER_GREY, abs=0.01)
    assert offset + 40 * slope == pytest.approx(SCORE_AT_ZERO + 40 * SCORE_PER_GREY, abs=0.4)
    assert spearman(np.array(contrasts), np.array(scores)) > spearman(np.array(gcnrs), np.array(scores))
