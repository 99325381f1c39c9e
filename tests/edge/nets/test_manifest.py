from __future__ import annotations

import json
from pathlib import Path

import pytest

import echoedge
from edge.errors import ModelError
from edge.nets.manifest import SCHEMA, Manifest, Port, find_manifests, read_manifest, sha256_of, write_manifest
from edge.preprocess import PreprocessSpec


def manifest(**changes: object) -> Manifest:
    fields = {
        "schema": SCHEMA,
        "name": "net",
        "task": "segmentation",
        "file": "fp32.onnx",
        "sha256": "0" * 64,
        "parent_sha256": "",
        "precision": "fp32",
        "target": "any",
        "preprocess": PreprocessSpec(473),
        "inputs": (Port("frame", (1, 1, 473, 473), "uint8", "grey"),),
        "outputs": (Port("mask", (1, 473, 473), "uint8", "class"),),
        "classes": ("background", "LV"),
        "calibration_sha256": "",
        "evidence": {},
        "licence": "Apache-2.0",
        "command": "echoedge export",
        "commit": "",
    }
    return Manifest(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_manifest_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    write_manifest(manifest(), tmp_path / "fp32.json")
    assert read_manifest(tmp_path / "fp32.json") == manifest()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"surprise": 1}, "unknown field"),
        ({"schema": 99}, "schema 99"),
        ({"inputs": "frame"}, "Expected `array`"),
    ],
)
def test_a_strange_manifest_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = tmp_path / "fp32.json"
    write_manifest(manifest(), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=says):
        read_manifest(path)


@pytest.mark.parametrize("content", [b"", b"not json", b"[]"])
def test_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ModelError, match="not a manifest of this version"):
        find_manifests(tmp_path)


def test_a_missing_or_empty_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is neither a model folder nor the name of a model"):
        echoedge.open_model(tmp_path / "absent")
    with pytest.raises(ModelError, match="holds no manifest"):
        echoedge.open_model(tmp_path)


def test_a_changed_artefact_is_refused(tmp_path: Path) -> None:
    artefact = tmp_path / "fp32.onnx"
    artefact.write_bytes(b"weights")
    write_manifest(manifest(sha256=sha256_of(artefact)), tmp_path / "fp32.json")
    artefact.write_bytes(b"other weights")
    with pytest.raises(ModelError, match="was changed or damaged"):
        echoedge.open_model(tmp_path)


def test_an_absent_artefact_is_named(tmp_path: Path) -> None:
    write_manifest(manifest(), tmp_path / "fp32.json")
    with pytest.raises(ModelError, match=r"fp32\.onnx is missing"):
        echoedge.open_model(tmp_path)


def test_a_precision_that_is_not_there_lists_what_is(tmp_path: Path) -> None:
    write_manifest(manifest(), tmp_path / "fp32.json")
    with pytest.raises(ModelError, match="no int8 file of segmentation for the target cpu, only fp32"):
        echoedge.open_model(tmp_path, precision="int8")
