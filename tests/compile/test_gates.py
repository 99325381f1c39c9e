"""What must not be loaded is refused by name, with the remedy."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

import echoedge
from calib.drift import grey_levels_of
from calib.feed import FrameFeed
from compile.gates import TOLERANCES, accuracy_gate, race, speed_gate
from compile.graphs import references_of
from compile.outcome import winner
from compile.pipeline import run_plan
from compile.plan import Plan
from compile.quantize.model import ModelQuantizer
from compile.score import Scores, Trial
from compile.ship.sign import new_key, sign_folder
from edge.errors import ModelError
from edge.nets.artefacts import QUALITY
from edge.nets.manifest import EngineFacts, Gates, Manifest, check_engine, read_manifest, sha256_of, write_manifest
from edge.nets.signature import KEY_SETTING, REQUIRE_SETTING
from tests.compile.conftest import chosen_set, frames_of
from train.data.sample import Sample

REFERENCE: Scores = {("A4C", "LV Dice"): 0.93, ("A2C", "LV Dice"): 0.91, ("A4C", "LV HD95 mm"): 4.0}
TRIAL = Trial("camus", ())


def gate_of(found: Scores) -> Gates:
    return Gates(accuracy=accuracy_gate("0" * 64, REFERENCE, found, TRIAL, "onnxruntime", TOLERANCES))


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({}, None),
        ({("A4C", "LV Dice"): 0.95}, None),
        ({("A2C", "LV Dice"): 0.90}, "LV Dice of A2C is 0.9, 0.01 worse than 0.91"),
        ({("A4C", "LV HD95 mm"): 5.0}, "LV HD95 mm of A4C is 5, 1 worse than 4"),
        ({("A4C", "LV HD95 mm"): 3.0}, None),
        ({("A4C", "LV Dice"): float("nan")}, "LV Dice of A4C is nan"),
        ({("A4C", "LV HD95 mm"): float("nan")}, None),
    ],
)
def test_one_view_that_falls_too_far_fails_the_gate(change: Scores, failed: str | None) -> None:
    failures = gate_of({**REFERENCE, **change}).failures()
    assert failures == [] if failed is None else failures[0].startswith(failed)


def test_int8_that_is_no_faster_fails_the_speed_gate() -> None:
    assert speed_gate((9, 10), (10, 12), "0" * 64, "openvino", "here", 5).failures() == []
    assert "no faster" in speed_gate((9, 12), (10, 12), "0" * 64, "openvino", "here", 5).failures()[0]


def test_a_race_runs_everyone_equally_often() -> None:
    runs = {"a": 0, "b": 0}

    def runner(name: str) -> None:
        runs[name] += 1

    times = race({"a": lambda: runner("a"), "b": lambda: runner("b")}, rounds=7)
    assert runs == {"a": 10, "b": 10}
    assert all(p50 <= p90 for p50, p90 in times.values())


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    """An FP32 file and a copy of it that claims to be an INT8 file with a failed gate."""
    target = tmp_path / "models" / "net"
    shutil.copytree(folders["pspnet-mk"], target)
    shutil.copy(target / "fp32.onnx", target / "int8.onnx")
    manifest = read_manifest(target / "fp32.json")
    failed = gate_of({**REFERENCE, ("A2C", "LV Dice"): 0.5})
    narrow = msgspec.structs.replace(manifest, file="int8.onnx", precision="int8", target="cpu", gates=failed)
    write_manifest(narrow, target / "int8.json")
    return target


def test_a_failed_gate_is_refused_unless_asked_for(folder: Path) -> None:
    assert echoedge.open_model(folder).manifest.precision == "fp32"
    with pytest.raises(ModelError, match=r"int8.onnx failed a gate: LV Dice of A2C .*--allow-failed-gate"):
        echoedge.open_model(folder, "int8")
    assert echoedge.open_model(folder, "int8", allow_failed_gate=True).manifest.precision == "int8"
    assert echoedge.open_model(folder, allow_failed_gate=True).manifest.precision == "int8"


def test_manifests_without_gates_are_read(folder: Path) -> None:
    path = folder / "fp32.json"
    old = json.loads(path.read_text())
    del old["gates"], old["engine"]
    path.write_text(json.dumps(old))
    assert read_manifest(path).gates == Gates()
    path.write_text(json.dumps({**old, "gates": {"accurracy": None}}))
    with pytest.raises(ModelError, match="not a manifest of this version"):
        read_manifest(path)


def test_a_damaged_artefact_is_refused(folder: Path) -> None:
    artefact = folder / "fp32.onnx"
    content = bytearray(artefact.read_bytes())
    content[len(content) // 2] ^= 1
    artefact.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="was changed or damaged; fetch the model folder again"):
        echoedge.open_model(folder, "fp32")


def test_signatures(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = new_key(tmp_path / "keys")
    assert private.stat().st_mode & 0o077 == 0
    with pytest.raises(ModelError, match="exists already"):
        new_key(tmp_path / "keys")
    monkeypatch.setenv(KEY_SETTING, str(public))
    echoedge.open_model(folder, "fp32")  # unsigned, and no signature is required
    monkeypatch.setenv(REQUIRE_SETTING, "1")
    with pytest.raises(ModelError, match=r"is not signed; sign its folder with `echoedge sign`"):
        echoedge.open_model(folder, "fp32")
    assert len(sign_folder(folder, private)) == 2
    echoedge.open_model(folder, "fp32")
    path = folder / "fp32.json"
    path.write_bytes(path.read_bytes().replace(b"CC-BY-NC-SA-4.0", b"Apache-2.0"))
    with pytest.raises(ModelError, match="does not match its signature"):
        echoedge.open_model(folder, "fp32")


def test_a_foreign_signature_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = new_key(tmp_path / "ours"), new_key(tmp_path / "theirs")
    sign_folder(folder, theirs[0])
    echoedge.open_model(folder, "fp32")  # no trusted key is configured
    shutil.copy(ours[1], folder.parent / "trusted_key.json")
    with pytest.raises(ModelError, match="not by the trusted one"):
        echoedge.open_model(folder, "fp32")
    monkeypatch.setenv(KEY_SETTING, str(tmp_path / "nowhere.json"))
    with pytest.raises(ModelError, match="is not a public key"):
        echoedge.open_model(folder, "fp32")


def test_a_key_is_required_but_none_is_configured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_SETTING, "1")
    with pytest.raises(ModelError, match="no trusted key"):
        echoedge.open_model(folder, "fp32")


def test_nothing_unsound_is_signed(folder: Path, tmp_path: Path) -> None:
    private, _ = new_key(tmp_path / "keys")
    (folder / "int8.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match="nothing unsound is signed"):
        sign_folder(folder, private)


@pytest.mark.parametrize(("version", "sm"), [("10.3.0", 87), ("1.7.1", 89), ("1.8.0", 86), ("", 86)])
def test_an_engine_of_another_machine_is_refused(folder: Path, version: str, sm: int) -> None:
    facts = EngineFacts(library="tensorrt_rtx", version="1.7.1", compute_capabilities=(86,), jetpack="", settings={})
    manifest: Manifest = msgspec.structs.replace(read_manifest(folder / "fp32.json"), engine=facts)
    check_engine(manifest, "1.7.1", 86)
    here = f"tensorrt_rtx {version or 'not installed'} and SM {sm}"
    with pytest.raises(ModelError, match=rf"built by tensorrt_rtx 1.7.1 for SM 86.*{here}.*echoedge engine"):
        check_engine(manifest, version, sm)


def test_a_plan_writes_judged_artefacts(folders: dict[str, Path], tmp_path: Path) -> None:
    """The whole path on the quality net: FP16 and INT8 for a GPU, INT8 for a CPU, each with its gate."""
    folder = tmp_path / "quality"
    shutil.copytree(folders["quality"], folder)
    rng = np.random.default_rng(0)
    crops = tuple(f[0, 0] for f in frames_of(256, 6))
    blank = np.zeros((8, 8), np.uint8)
    samples = tuple(Sample(blank, blank, (1.0, 1.0), "A4C", "ED", f"p{i}", str(i)) for i in range(6))
    trial = Trial("made", samples, crops, tuple(rng.uniform(1, 5, 8).astype(np.float32) for _ in crops))
    chosen = chosen_set("p9")
    loose = {"Spearman": 2.0}
    quantizer = ModelQuantizer(
        references=references_of(folder), chosen=chosen, feeds={QUALITY: FrameFeed("frame", frames_of(256, 3))}
    )
    few = Plan(target="cpu", precisions=("int8",), backend="onnxruntime", method="min-max", tolerances=loose, rounds=3)
    cpu = run_plan(folder, replace(few, threads=1), trial, quantizer)
    assert [o.manifest.file for o in cpu] == ["fp32.onnx", "int8.onnx"]
    assert cpu[1].manifest.gates.speed is not None
    assert cpu[1].manifest.calibration_sha256 == chosen.sha256
    assert cpu[1].manifest.grey_levels == grey_levels_of(chosen)
    gpu = run_plan(folder, replace(few, target="rtx", precisions=("fp16", "int8"), method="mse"), trial, quantizer)
    assert [o.manifest.file for o in gpu] == ["fp32.onnx", "fp16.onnx", "int8-tensorrt.onnx"]
    assert all(o.manifest.target == "tensorrt" for o in gpu[1:])
    assert winner(gpu).manifest.precision == "fp16"  # INT8 was not raced on a GPU
    for manifest, path in (outcome.graphs[QUALITY] for outcome in (*cpu, *gpu)):
        assert path.parent == folder
        assert sha256_of(folder / manifest.file) == read_manifest(path).sha256


SAFE_LOAD = 'torch.load(path, map_location="cpu", weights_only=True)'
"""Tensors alone, of a state dict that the user downloaded; nothing in it is run."""


def test_only_onnx_safetensors_and_json_are_read(root: Path) -> None:
    words = ("import pickle", "torch.load", "allow_pickle=True", "joblib", "import marshal", "import shelve")
    for package in ("edge", "compile", "calib", "train"):
        for path in (root / package).rglob("*.py"):
            text = path.read_text().replace(SAFE_LOAD, "")
            assert not [w for w in words if w in text], path
