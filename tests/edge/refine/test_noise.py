"""Noise of samples: repeated by the same seed, shared by no two samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.nets.artefacts import DENOISER, choose
from edge.nets.manifest import Manifest, find_manifests
from edge.refine.noise import draw_noise, generator_of


@pytest.fixture
def manifest(root: Path) -> Manifest:
    return choose(find_manifests(root / "models" / "echo-dnd"), DENOISER, "fp32", "any")[0]


def test_no_two_samples_of_any_seeds_share_their_noise(manifest: Manifest) -> None:
    drawn = [draw_noise(manifest, seed, sample)["x_g"] for seed in range(3) for sample in range(9)]
    assert len({array.tobytes() for array in drawn}) == len(drawn)


def test_noise_repeats(manifest: Manifest) -> None:
    first, again = draw_noise(manifest, 1, 2), draw_noise(manifest, 1, 2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert generator_of(0, 3).random() != generator_of(3, 0).random()
