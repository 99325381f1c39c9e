from __future__ import annotations

import os
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import echoedge
from calib.feed import StreamFeed, spread
from compile.apart import apart
from compile.export.command import main as export
from compile.export.stream import TOLERANCE, StreamGraph, loop_frames, streamed_differences
from compile.graphs import outputs_of
from compile.main import main as compile_model
from compile.quantize import precision
from compile.quantize.precision import Quantizer, fp16_from_onnx
from edge.errors import ModelError
from edge.nets.artefacts import SEGMENTATION
from edge.nets.backends.ort import OnnxRuntimeBackend
from edge.nets.manifest import find_manifests, read_manifest
from edge.nets.model import Segmenter
from edge.screen.sector import find_sector
from edge.synth import SyntheticLoop
from train.checkpoint import save_checkpoint
from train.facts import Facts, FitConfig
from train.nets.ral import RAL, SMALL, Parts
from train.ral.training import load_net

SIZE = 64
CLASSES = ["background", "LV", "myocardium", "LA"]


def write_checkpoint(folder: Path, size: int = SIZE, without: tuple[str, ...] = ()) -> Path:
    torch.manual_seed(0)
    net = RAL(4, size, SMALL, Parts(**dict.fromkeys(without, False)))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():  # batch norm learns its inputs, and gates are turned up so that memory weighs
        net.train()(torch.rand(2, 3, 1, size, size) * 2 - 1)
        for cell in net.cells:
            cell.gates.weight *= 2
    facts = Facts(
        net="ral-small",
        without=tuple(without),
        size=size,
        classes=tuple(CLASSES),
        training_frames=1,
        config=FitConfig(epochs=0),
    )
    path = folder / f"ral-{'-'.join(without)}.safetensors"
    save_checkpoint(path, {f"ema.{n}": t for n, t in net.state_dict().items()}, facts)
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(checkpoint, model folder)."""
    folder = tmp_path_factory.mktemp("stream")
    checkpoint = write_checkpoint(folder)
    assert export([str(checkpoint), "--name", "ral-small", "--out", str(folder / "model")]) == 0
    return checkpoint, folder / "model"


def test_streamed_frame_by_frame_it_is_the_sequence(exported: tuple[Path, Path]) -> None:
    checkpoint, folder = exported
    net = load_net(checkpoint)
    assert isinstance(net, RAL)
    differences = streamed_differences(StreamGraph(net).eval(), folder / "fp32.onnx", loop_frames(SIZE, 40))
    assert max(differences) <= TOLERANCE


@pytest.mark.slow
def test_two_hundred_frames_of_a_trained_network(root: Path, tmp_path: Path) -> None:
    """The shipped checkpoint, or that of $ECHOEDGE_RAL: random weights round worse (2.7e-4 at 128 px)."""
    checkpoint = Path(os.environ.get("ECHOEDGE_RAL", root / "models" / "ral-small" / "checkpoint.safetensors"))
    if not checkpoint.is_file():
        pytest.skip(f"no trained RAL here ({checkpoint}); set ECHOEDGE_RAL to a checkpoint of `echoedge train ral`")
    assert export([str(checkpoint), "--name", "ral-small", "--out", str(tmp_path)]) == 0
    net = load_net(checkpoint)
    assert isinstance(net, RAL)
    differences = streamed_differences(StreamGraph(net).eval(), tmp_path / "fp32.onnx", loop_frames(net.size, 200))
    print(f"largest difference {max(differences):.1e}")
    assert len(differences) == 200
    assert max(differences) <= TOLERANCE


def test_the_manifest_declares_the_states(exported: tuple[Path, Path]) -> None:
    manifest = read_manifest(exported[1] / "fp32.json")
    assert manifest.states == tuple(f"{kind}{k}" for k in range(1, 6) for kind in "yh")
    assert (manifest.inputs[0].name, manifest.inputs[0].dtype) == ("frame", "uint8")
    assert [port.name for port in manifest.outputs[:2]] == ["mask", "view"]
    assert manifest.outputs[0].dtype == "uint8"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_the_runtime_remembers_until_it_is_reset(exported: tuple[Path, Path], backend: str) -> None:
    loop = SyntheticLoop(3, "A2C", 128)
    frames = [loop.frame(number).image for number in range(6)]
    sector = find_sector(frames)
    with echoedge.open_model(exported[1], backend=backend, threads=1) as model:
        assert isinstance(model, Segmenter)
        first = [model(frame, sector) for frame in frames]
        model.infer()  # once more the last frame
        with_memory = model.view_probabilities
        assert with_memory is not None
        assert with_memory.sum() == pytest.approx(1, abs=1e-5)
        model.reset()
        again = [model(frame, sector) for frame in frames]
        assert all(np.array_equal(a, b) for a, b in zip(first, again))
        model.prepare(frames[-1], sector.box)
        model.reset()
        model.infer()
        afresh = model.view_probabilities
        assert afresh is not None
        assert not np.array_equal(afresh, with_memory)
        model(frames[-1])  # without a sector a frame stands for itself
        model.reset()
        model.prepare(frames[-1], sector.box)
        model.infer()
        assert np.array_equal(model.view_probabilities, afresh)


def test_without_parts_there_are_no_states_and_no_view(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, without=("temporal", "classification"))
    assert export([str(checkpoint), "--name", "x", "--out", str(tmp_path)]) == 0
    manifest = read_manifest(tmp_path / "fp32.json")
    assert manifest.states == ()
    assert [port.name for port in manifest.outputs] == ["mask"]
    with echoedge.open_model(tmp_path, backend="onnxruntime") as model:
        assert isinstance(model, Segmenter)
        assert model.view_probabilities is None


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_narrower_files_stream_too(exported: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    source, frames = exported[1] / "fp32.onnx", loop_frames(SIZE, 6)
    if kind == "fp16":
        fp16_from_onnx(source, tmp_path / "narrow.onnx")
    else:
        feed = StreamFeed("frame", frames[:2], source)
        assert len(list(feed)) == 4
        Quantizer(source, feed).write(tmp_path / "narrow.onnx")
    wide, narrow = (OnnxRuntimeBackend(path, 1) for path in (source, tmp_path / "narrow.onnx"))
    for frame in frames:
        expected, found = wide.infer({"frame": frame}), narrow.infer({"frame": frame})
        assert found.keys() == expected.keys()
        assert np.abs(found["view"] - expected["view"]).max() < 0.1
    assert (found["mask"] == expected["mask"]).mean() > 0.8


def test_other_sizes_are_refused(exported: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="leave --size"):
        export([str(exported[0]), "--name", "x", "--out", str(tmp_path), "--size", "128"])


def test_integers_survive_openvino_where_dense_blocks_are_joined_in_float(
    exported: tuple[Path, Path], tmp_path: Path
) -> None:
    source = exported[1] / "fp32.onnx"
    feed = StreamFeed("frame", loop_frames(SIZE, 2), source)
    Quantizer(source, feed).write(tmp_path / "int8.onnx")
    runs = spread(feed, 2)
    expected, found = (
        apart(partial(outputs_of, {}, {SEGMENTATION: path}, "openvino", runs), path, "openvino")
        for path in (source, tmp_path / "int8.onnx")
    )
    assert np.mean([(a == b).mean() for a, b in zip(found, expected)]) > 0.8


def test_probes_of_a_stream_have_states_that_came_to_rest(exported: tuple[Path, Path]) -> None:
    feed = StreamFeed("frame", loop_frames(SIZE, 4), exported[1] / "fp32.onnx")
    every, probes = list(feed), spread(feed, 2)
    assert [not run["h1"].any() for run in every] == [True, False] * 4
    assert [np.array_equal(run["h1"], every[k]["h1"]) for run, k in zip(probes, (1, 5))] == [True, True]


def test_a_candidate_that_ends_the_process_is_named_and_the_others_are_made(
    exported: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole command. OpenVINO 2026.4.1 dies of joined integers that batch norm reads; should a later release take
    them, find another such file."""
    monkeypatch.setattr(precision, "joins_in_float", lambda nodes: [])
    folder = tmp_path / "ral"
    shutil.copytree(exported[1], folder)
    (tmp_path / "valid.txt").write_text("synth00007")
    monkeypatch.chdir(tmp_path)
    wanted = ["--data", "synth:3@7", "--held-out", "valid.txt", "--count", "2", "--runs", "2", "--threads", "1"]
    loose = ["--tolerance", "LV Dice=1", "--tolerance", "LV HD95 mm=1e9"]
    assert compile_model([str(folder), "--target", "all", *wanted, *loose, "--report", "report.html"]) == 1
    words = r"ends the process in openvino [\d.]+ \(SIGSEGV\)"
    assert re.search(rf"int8\.onnx is not used: {words}", " ".join(capsys.readouterr().out.split()))
    assert re.search(words, Path("report-cpu.html").read_text())
    assert re.search(f"{words}: share of frames answered", read_manifest(folder / "int8.json").gates.failures()[0])
    with pytest.raises(ModelError, match="ends the process in openvino"):
        echoedge.open_model(folder, "int8", "openvino")
    with echoedge.open_model(folder, backend="openvino", threads=1) as model:
        assert model.manifest.precision == "fp32"
    made = {manifest.file for manifest, _ in find_manifests(folder)}
    assert made == {"fp32.onnx", "int8.onnx", "fp16.onnx", "int8-tensorrt.onnx"}
    for name in ("fp16", "int8-tensorrt"):
        gate = read_manifest(folder / f"{name}.json").gates.accuracy
        assert gate is not None
        assert gate.frames > 0
