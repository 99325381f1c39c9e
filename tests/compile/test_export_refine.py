from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

from calib.choose import choose_frames
from calib.frames import Candidate, describe
from compile.export import main as export
from compile.refine import halve_refiner, inner_convolutions, quantize_refiner
from compile.score import Trial
from edge.errors import ModelError
from edge.nets.manifest import read_manifest
from edge.preprocess import PreprocessSpec, preprocess
from edge.refine.refiner import DENOISER, ENCODER, Refiner, draw_noise, open_refiner
from edge.screen.sector import find_sector
from tests.phantom import apical_frame
from tests.train.diffusion.tiny import TINY_STUDENT, write
from tests.train.small import samples

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
    noise = draw_noise(refiner.denoiser_manifest, 0)
    assert noise.keys() == {"x_g", "x_b", "u_1", "z"}
    assert abs(noise["x_g"].mean()) < 0.1
    assert noise["x_g"].std() == pytest.approx(1, abs=0.1)
    assert set(np.unique(noise["x_b"])) == {0, 1}
    assert 0 <= noise["u_1"].min() <= noise["u_1"].max() < 1
    assert noise["z"].shape == (1, TINY_STUDENT.latent)


def test_what_cannot_be_refined_says_why(refiner: Refiner, folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="0 samples"):
        refiner(apical_frame(1.0, 1, 120), samples=0)
    with pytest.raises(ModelError, match="no usable refine-encoder file of precision int8"):
        open_refiner(folder, precision="int8")
    with pytest.raises(ModelError, match="leave --size"):
        export([str(checkpoint), "--name", "x", "--out", str(tmp_path), "--size", "64"])


def test_no_sample_is_begun_after_the_deadline(refiner: Refiner) -> None:
    image = np.zeros((1, 1, 32, 32), np.uint8)
    every = refiner.infer(image, 3)
    np.testing.assert_array_equal(refiner.infer(image, 3, until_ns=0), every[:1])
    np.testing.assert_array_equal(refiner.infer(image, 3, until_ns=time.monotonic_ns() + 10**12), every)


def test_fp16_of_both_graphs_with_their_gates(folder: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(folder, tmp_path / "model"))
    made = halve_refiner(work, Trial("small", tuple(samples(1, first=9))), "onnxruntime", rounds=3, command="test")
    assert made.keys() == {ENCODER, DENOISER}
    for task, manifest in made.items():
        assert (manifest.task, manifest.precision, manifest.target) == (task, "fp16", "cpu")
        assert manifest.gates.accuracy is not None
        assert manifest.gates.speed is not None
        weights = [t for t in onnx.load(work / manifest.file).graph.initializer if len(t.dims) == 4]
        assert {t.data_type for t in weights} == {onnx.TensorProto.FLOAT16}
    image = preprocess(samples(1)[0].image, find_sector([samples(1)[0].image]).box, PreprocessSpec(size_px=32))
    with open_refiner(work, "fp32", "onnxruntime") as fp32:
        expected = fp32.infer(image, 2)
    for backend in ("onnxruntime", "openvino"):
        with open_refiner(work, "fp16", backend, allow_failed_gate=True) as fp16:
            assert np.abs(fp16.infer(image, 2) - expected).mean() < 0.02


def test_int8_keeps_the_last_convolutions_in_float(folder: Path, tmp_path: Path) -> None:
    work = Path(shutil.copytree(folder, tmp_path / "model"))
    frames = [preprocess(s.image, find_sector([s.image]).box, PreprocessSpec(size_px=32)) for s in samples(3)]
    listed = choose_frames(
        [describe(Candidate(s.image, "small", s.source, s.patient, s.view, s.phase)) for s in samples(3)], 3, [], 0
    )
    trial = Trial("small", tuple(samples(1, first=9)))
    made = quantize_refiner(work, listed, frames, trial, "onnxruntime", rounds=3, command="test")
    assert made.keys() == {ENCODER, DENOISER}
    for manifest in made.values():
        graph = onnx.load(work / manifest.file).graph
        assert sum(n.op_type == "QuantizeLinear" for n in graph.node) > 10
        assert manifest.gates.accuracy is not None
        assert manifest.calibration_sha256 == listed.sha256
    names = inner_convolutions(work / "denoiser-fp32.onnx")
    every = [n.name for n in onnx.load(work / "denoiser-fp32.onnx").graph.node if n.op_type == "Conv"]
    assert len(every) - len(names) == STEPS, "one last convolution a step"
    with open_refiner(work, "int8", "onnxruntime", allow_failed_gate=True) as int8:
        found = int8.infer(frames[0], 1)
    with open_refiner(work, "fp32", "onnxruntime") as fp32:
        assert np.abs(found - fp32.infer(frames[0], 1)).mean() < 0.1
