from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.heart.regions import REGIONS
from tests.phantom import apical_frame, apical_mask
from tests.train.small import samples
from train.data.synthetic import samples_of
from train.quality.crops import (
    MIRRORED,
    SIZE,
    Crop,
    QualityData,
    Scored,
    area_of,
    augment,
    blurred_scores,
    gamma_curve,
    open_crops,
    scored,
    validation_set,
    with_masks,
)
from train.quality.degrade import sector_crop


def crops(count: int) -> list[Crop]:
    return [
        Crop(*sector_crop(s, SIZE), None, s.view, s.phase, s.patient, s.source)
        for s in samples((count + 1) // 2)[:count]
    ]


def test_mirroring_swaps_left_and_right() -> None:
    assert [MIRRORED[MIRRORED[k]] for k in range(8)] == list(range(8))
    swapped = [name.replace("left", "?").replace("right", "left").replace("?", "right") for name in REGIONS]
    assert [REGIONS[k] for k in MIRRORED] == swapped


def test_augmented_labels_follow_their_regions() -> None:
    made = scored(crops(1)[0], np.random.default_rng(0))
    assert made is not None
    marked = Scored(made.labels * 25, np.arange(1, 9, dtype=np.float32), made.labels)
    for seed in range(12):
        image, scores, labels = augment(marked, np.random.default_rng(seed), wide=False)
        for k in np.flatnonzero(scores[:6] > 0):
            area = cv2.erode((labels == k + 1).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
            if area.any():  # grey 25 x score marks the region that the score belongs to, up to gamma 0.9-1.1
                assert np.median(image[area]) / 25 == pytest.approx(scores[k], rel=0.35)


def test_exact_scores_are_kept_and_others_are_made() -> None:
    exact = next(iter(open_crops("synth:1@3")))
    made = scored(exact, np.random.default_rng(0))
    assert made is not None
    np.testing.assert_array_equal(made.image, exact.image)
    np.testing.assert_array_equal(made.scores, samples_of(3)[0].scores)
    assert set(np.unique(made.labels)) > {0}
    one, other = (scored(crops(1)[0], np.random.default_rng(k)) for k in (1, 2))
    assert one is not None
    assert other is not None
    assert not np.array_equal(one.scores, other.scores)


def test_a_frame_is_new_each_epoch_and_the_same_for_a_seed() -> None:
    data = QualityData(crops(2), seed=1)
    first = data[0]
    assert all((a == b).all() for a, b in zip(first, data[0]))
    assert [tuple(v.shape) for v in first] == [(1, SIZE, SIZE), (8,)]
    data.set_epoch(1)
    assert (data[0][0] != first[0]).any()


def test_attention_draws_a_region_that_has_a_score() -> None:
    data = QualityData(crops(2), seed=0, attention=True)
    image, score, area = data[1]
    assert (image.shape, score.shape, area.shape) == ((1, SIZE, SIZE), (1,), (1, SIZE, SIZE))
    assert not score.isnan()
    assert area.any()
    assert not area.all()


def test_an_area_reaches_25_px_beyond_its_region() -> None:
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[100:110, 120:130] = 3
    area = area_of(labels, 2)[0].numpy()
    rows, columns = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
    assert len(rows) == len(columns) == 10 + 49
    assert not area_of(labels, 4).any()


def test_a_validation_set_is_always_the_same() -> None:
    one, other = (validation_set(crops(3), seed=5) for _ in range(2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, other))


def test_experts_frames_take_masks_from_a_segmenter(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), apical_frame(size=SIZE))
    header = ",".join(["image", "patient", "view", *REGIONS])
    (tmp_path / "quality.csv").write_text(f"{header}\na.png,p1,A2C,1,2,3,4,5,,good,ok\n")
    (crop,) = open_crops(f"experts:{tmp_path}")
    np.testing.assert_array_equal(crop.scores, np.array([1, 2, 3, 4, 5, np.nan, 4, 3], np.float32))
    assert not crop.mask.any()
    (masked,) = with_masks([crop], lambda image: apical_mask(size=len(image)))
    assert masked.mask.any()
    assert with_masks([masked], lambda image: image)[0] is masked


def test_gamma_curve() -> None:
    assert gamma_curve(1.0)[[0, 128, 255]].tolist() == [0, 128, 255]
    assert gamma_curve(0.9)[128] > 128 > gamma_curve(1.1)[128]


def test_scores_fall_with_blur_and_stay_between_one_and_themselves() -> None:
    scores = np.array([1, 2.5, 5, np.nan], np.float32)
    rows = np.stack([blurred_scores(scores, sigma) for sigma in (0, 1, 2, 4, 8, 64)])
    assert (rows[0, :3] == scores[:3]).all()
    assert (np.diff(rows[:, 1:3], axis=0) < 0).all()
    assert (rows[:, 0] == 1).all()
    assert np.isnan(rows[:, 3]).all()
    assert rows[-1, 2] < 1.02
