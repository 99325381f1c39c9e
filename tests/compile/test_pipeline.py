"""A refining model's two graphs are made, judged and installed as one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from calib.choose import CalibrationSet, choose_frames
from calib.frames import Candidate, describe
from compile import pipeline
from compile.calibration import feeds_of
from compile.graphs import references_of
from compile.install import install
from compile.main import main as compile_model
from compile.pipeline import run_plan
from compile.plan import Plan
from compile.quantize.model import ModelQuantizer, inner_convolutions
from compile.score import Trial
from edge.errors import ModelError
from edge.nets.artefacts import DENOISER, ENCODER
from edge.nets.manifest import find_manifests, read_manifest
from edge.preprocess import PreprocessSpec, preprocess
from edge.refine.refiner import open_refiner
from edge.screen.sector import find_sector
from tests.train.small import samples

TRIAL = Trial("small", tuple(samples(1, first=9)))
FP16 = Plan(target="cpu", precisions=("fp16",), backend="onnxruntime", rounds=3, threads=1, command="test")
INT8 = replace(FP16, precisions=("int8",), tolerances={"LV Dice": 1.0, "LV HD95 mm": 1e9})


@pytest.fixture
def folder(refine_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(refine_folder, tmp_path / "model"))


def inputs() -> list[np.ndarray]:
    return [preprocess(s.image, find_sector([s.image]).box, PreprocessSpec(size_px=32)) for s in samples(3)]


def small_set() -> CalibrationSet:
    candidates = [Candidate(s.image, "small", s.source, s.patient, s.view, s.phase) for s in samples(3)]
    return choose_frames([describe(candidate) for candidate in candidates], 3, [], 0)


def quantizer_of(folder: Path) -> ModelQuantizer:
    references = references_of(folder)
    return ModelQuantizer(references=references, chosen=small_set(), feeds=feeds_of(references, inputs()))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_fp16_of_both_graphs_with_their_gates(folder: Path) -> None:
    made = run_plan(folder, FP16, TRIAL, None)[1]
    assert list(made.graphs) == [ENCODER, DENOISER]
    for task, (manifest, path) in made.graphs.items():
        assert read_manifest(path) == manifest
        assert (manifest.task, manifest.precision, manifest.target) == (task, "fp16", "cpu")
        assert manifest.gates.accuracy is not None
        assert manifest.gates.speed is not None
        assert manifest.gates.speed.reference_sha256 == manifest.parent_sha256
        weights = [t for t in onnx.load(folder / manifest.file).graph.initializer if len(t.dims) == 4]
        assert {t.data_type for t in weights} == {onnx.TensorProto.FLOAT16}
    assert set(made.latency_ms) == {ENCODER, DENOISER}
    image = inputs()[0]
    with open_refiner(folder, "fp32", "onnxruntime") as fp32:
        expected = fp32.infer(image, 2)
    for backend in ("onnxruntime", "openvino"):
        with open_refiner(folder, "fp16", backend, allow_failed_gate=True) as fp16:
            assert np.abs(fp16.infer(image, 2) - expected).mean() < 0.02


def test_int8_keeps_the_last_convolutions_in_float(folder: Path) -> None:
    made = run_plan(folder, INT8, TRIAL, quantizer_of(folder))[1]
    assert made.died == ""
    assert set(made.methods) == {"min-max", "percentile", "entropy", "mse"}
    for manifest, _ in made.graphs.values():
        graph = onnx.load(folder / manifest.file).graph
        assert sum(n.op_type == "QuantizeLinear" for n in graph.node) > 10
        assert manifest.gates.accuracy is not None
        assert manifest.calibration_sha256 == small_set().sha256
    graph = onnx.load(folder / "denoiser-fp32.onnx").graph
    every = [n.name for n in graph.node if n.op_type == "Conv"]
    assert len(every) - len(inner_convolutions(graph)) == 2, "one last convolution a step"
    with open_refiner(folder, "int8", "onnxruntime", allow_failed_gate=True) as int8:
        found = int8.infer(inputs()[0], 1)
    with open_refiner(folder, "fp32", "onnxruntime") as fp32:
        assert np.abs(found - fp32.infer(inputs()[0], 1)).mean() < 0.1


def test_layers_are_left_in_float_where_accuracy_falls_too_far(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quantizer = quantizer_of(folder)
    monkeypatch.setitem(quantizer.__dict__, "layers", quantizer.layers[:1] + quantizer.layers[-1:])
    monkeypatch.setattr(pipeline, "MOST_FLOAT", 2)
    strict = replace(INT8, method="min-max", tolerances={"LV Dice": -1.0, "LV HD95 mm": -1e9})
    made = run_plan(folder, strict, TRIAL, quantizer)[1]
    assert made.failures()
    assert len(made.float_nodes) == 2
    for task, (manifest, _) in made.graphs.items():
        (kept,) = manifest.evidence["float_nodes"]
        assert (task, kept) in quantizer.layers
        graph = onnx.load(folder / manifest.file).graph
        producers = {name: node.op_type for node in graph.node for name in node.output}
        conv = next(node for node in graph.node if node.name == kept)
        assert producers.get(conv.input[0], "float") != "DequantizeLinear"


@pytest.mark.parametrize("missing", ["encoder", "denoiser"])
def test_a_folder_that_lacks_a_graph_is_refused_by_name(folder: Path, missing: str) -> None:
    (folder / f"{missing}-fp32.json").unlink()
    with pytest.raises(ModelError, match=f"holds no file of refine-{missing}"):
        references_of(folder)


def test_folders_of_no_or_several_models_are_refused(folder: Path, folders: dict[str, Path]) -> None:
    shutil.copy(folders["quality"] / "fp32.json", folder / "quality.json")
    with pytest.raises(
        ModelError, match="is for quality, refine-denoiser, refine-encoder; give the folder of one model"
    ):
        references_of(folder)


def test_what_is_interrupted_changes_nothing(folder: Path) -> None:
    before = content(folder)

    def interrupted(what: str) -> None:
        if what.startswith("racing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(folder, FP16, TRIAL, None, interrupted)
    assert content(folder) == before


def test_files_are_installed_together_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    run_plan(folder, FP16, TRIAL, None)
    (folder / "encoder-fp16.sig").write_text("signed")
    before = content(folder)
    scratch = folder / "scratch"
    scratch.mkdir()
    graphs = {m.task: (m, scratch / path.name) for m, path in find_manifests(folder) if m.precision == "fp16"}
    for manifest, path in graphs.values():
        path.with_name(manifest.file).write_bytes(b"another")
    obstacle = folder / "denoiser-fp16.json"
    obstacle.unlink()
    obstacle.mkdir()
    (obstacle / "in the way").touch()
    with pytest.raises(OSError, match="denoiser-fp16"):
        install([graphs], folder)
    shutil.rmtree(obstacle)
    shutil.rmtree(scratch)
    assert content(folder) == {name: data for name, data in before.items() if name != obstacle.name}


def test_the_command_sees_what_a_folder_holds(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "valid.txt").write_text("synth00007")
    monkeypatch.chdir(tmp_path)
    wanted = ["model", "--data", "synth:1@7", "--held-out", "valid.txt", "--precision", "fp16", "--runs", "2"]
    assert compile_model(wanted) == 0
    words = capsys.readouterr().out
    assert "echo-dnd for cpu" in words
    assert (folder / "encoder-fp16.json").is_file()
    assert (folder / "denoiser-fp16.json").is_file()
    with pytest.raises(ModelError, match="runs on the CPU, not on rtx"):
        compile_model([*wanted, "--target", "rtx"])
