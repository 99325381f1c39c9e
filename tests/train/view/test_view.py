"""Pictures with planes and orientations, the trunk's features of them, and a head that learns from them."""

from pathlib import Path

import numpy as np
import pytest

from edge.heart.plane import PLANES
from train.view.data import DAMAGES, SHARES, SIZE_PX, UNKNOWN, real, synthetic, turned
from train.view.features import Features, Trunk
from train.view.training import fit_head, head_scores


@pytest.mark.parametrize("view", ["A4C", "SAX-AV", "no heart"])
def test_synthetic_pictures_carry_their_labels(view: str) -> None:
    items = synthetic(3, view, 4)
    again = synthetic(3, view, 4)
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(items, again))
    assert {item.picture.shape for item in items} == {(SIZE_PX, SIZE_PX)}
    assert {item.upside_down == UNKNOWN for item in items} == {view == "no heart"}
    assert {PLANES[item.plane] for item in items} == {"PSAX" if view == "SAX-AV" else view}


def test_every_plane_is_drawn() -> None:
    drawn = {synthetic(seed, view, 1, turns=False)[0].plane for seed, view in enumerate(SHARES)}
    assert drawn == set(range(len(PLANES)))


def test_a_turned_picture_is_the_picture_flipped() -> None:
    picture = np.arange(SIZE_PX * SIZE_PX, dtype=np.uint32).astype(np.uint8).reshape(SIZE_PX, SIZE_PX)
    item = turned(picture, 0, True, True, "x")
    assert np.array_equal(item.picture, picture[::-1, ::-1])
    assert (item.mirrored, item.upside_down) == (1, 1)


def test_real_frames_come_with_damaged_ones_that_are_no_standard_view() -> None:
    frame = np.zeros((200, 260), np.uint8)
    frame[20:180, 60:200] = np.random.default_rng(0).integers(40, 220, (160, 140))
    items = real(frame, "A2C", "x", 0, copies=2)
    assert [PLANES[item.plane] for item in items] == ["A2C", "A2C", "other heart", "other heart"]
    rng = np.random.default_rng(1)
    assert {
        name for name, damage in DAMAGES.items() if damage(items[0].picture, rng).shape != (SIZE_PX, SIZE_PX)
    } == set()


def test_the_trunk_gives_both_maps(model_folders: dict[str, Path]) -> None:
    features = Trunk(model_folders["quality"] / "int8.onnx").of(synthetic(1, "no heart", 1))
    assert features.fine.shape == (1, 96, 16, 16)
    assert features.coarse.shape == (1, 160, 8, 8)
    assert features.labels.shape == (1, 3)


def test_a_head_learns_planes_and_orientation() -> None:
    rng = np.random.default_rng(0)
    labels = np.stack([np.arange(72) % len(PLANES), np.arange(72) // 9 % 2, np.arange(72) // 18 % 2], axis=1)
    fine = rng.normal(0, 0.1, (72, 96, 16, 16)).astype(np.float16)
    for row, (plane, mirrored, upside_down) in enumerate(labels):
        fine[row, plane] += 1
        fine[row, 20, :, 8:] += mirrored
        fine[row, 30, 8:] += upside_down
    features = Features(fine=fine, coarse=np.zeros((72, 160, 8, 8), np.float16), labels=labels)
    assert min(v for k, v in head_scores(fit_head(features, 30), features).items() if k != "others accepted") > 0.95
