from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from compile.export.command import main as export
from edge.errors import ModelError
from edge.nets.artefacts import DENOISER, ENCODER
from edge.nets.manifest import read_manifest
from edge.refine.noise import draw_noise
from edge.refine.refiner import Refiner, open_refiner
from tests.phantom import apical_frame
from tests.train.diffusion.tiny import TINY_STUDENT, write

STEPS = 2


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("checkpoint") / "student.safetensors", TINY_STUDENT)


@pytest.fixture(scope="module")
def folder(refine_folder: Path) -> Path:
    return refine_folder


@pytest.fixture(scope="module")
def refiner(folder: Path) -> Refiner:
    return open_refiner(folder, backend="onnxruntime", threads=1)


def test_two_graphs_with_their_manifests(folder: Path) -> None:
    encoder, denoiser = (read_manifest(folder / f"{name}-fp32.json") for name in ("encoder", "denoiser"))
    assert (encoder.task, denoiser.task) == (ENCODER, DENOISER)
    assert encoder.inputs[0].shape == (1, 1, 32, 32)
    names = [port.name for port in denoiser.inputs]
    assert {"frame", "x_g", "x_b", "u_1", "z"} <= set(names)
    assert "u_2" not in names, "the last step draws nothing"
    assert {p.name for p in encoder.outputs} - {"coarse"} == {n for n in names if n.startswith("c_")}
    assert all(port.meaning for port in (*encoder.inputs, *encoder.outputs, *denoiser.inputs, *denoiser.outputs))
    assert denoiser.evidence["steps"] == STEPS


def test_a_frame_is_refined(refiner: Refiner) -> None:
    frame = apical_frame(1.0, 1, 120)
    found = refiner(frame, samples=3)
    assert found.mask.shape == found.probability.shape == found.uncertainty.shape == frame.shape
    assert found.samples.shape == (3, 32, 32)
    assert 0 <= found.uncertainty.min() <= found.uncertainty.max() <= 1
    assert np.abs(found.samples[0] - found.samples[1]).max() > 1e-3
    again = refiner(frame, samples=3)
    np.testing.assert_array_equal(again.probability, found.probability)
    assert np.abs(refiner(frame, samples=3, seed=1).probability - found.probability).max() > 1e-4


def test_noise_is_what_the_graph_was_trained_on(refiner: Refiner) -> None:
    noise = draw_noise(refiner.denoiser_manifest, 0, 0)
    assert noise.keys() == {"x_g", "x_b", "u_1", "z"}
    assert abs(noise["x_g"].mean()) < 0.1
    assert noise["x_g"].std() == pytest.approx(1, abs=0.1)
    assert set(np.unique(noise["x_b"])) == {0, 1}
    assert 0 <= noise["u_1"].min() <= noise["u_1"].max() < 1
    assert noise["z"].shape == (1, TINY_STUDENT.latent)


def test_what_cannot_be_refined_says_why(refiner: Refiner, folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="0 samples"):
        refiner(apical_frame(1.0, 1, 120), samples=0)
    with pytest.raises(ModelError, match="no int8 file of refine-encoder for the target cpu, only fp32"):
        open_refiner(folder, precision="int8")
    with pytest.raises(ModelError, match="leave --size"):
        export([str(checkpoint), "--name", "x", "--out", str(tmp_path), "--size", "64"])


def test_no_sample_of_one_seed_is_a_sample_of_another(refiner: Refiner) -> None:
    image = np.zeros((1, 1, 32, 32), np.uint8)
    first, second = refiner.infer(image, 5, seed=0), refiner.infer(image, 5, seed=1)
    assert min(np.abs(a - b).max() for a in first for b in second) > 1e-4


def test_no_sample_is_begun_after_the_deadline(refiner: Refiner) -> None:
    image = np.zeros((1, 1, 32, 32), np.uint8)
    every = refiner.infer(image, 3)
    np.testing.assert_array_equal(refiner.infer(image, 3, until_ns=0), every[:1])
    np.testing.assert_array_equal(refiner.infer(image, 3, until_ns=time.monotonic_ns() + 10**12), every)
