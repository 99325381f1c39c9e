"""What an artefact is, beside its file: one strict JSON document that `compile` writes and the runtime obeys."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from edge.errors import ModelError
from edge.preprocess import PreprocessSpec

SCHEMA = 1


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named input or output of a graph: shape, dtype and meaning in words."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    meaning: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One artefact.

    `task` is "segmentation" or "quality"; `precision` "fp32", "fp16" or "int8"; `target` "any" or the kind of device whose
    engines read the file ("cpu", "tensorrt"). `parent_sha256` names the file it was made from, `evidence` holds measured
    accuracy with the command that printed it.
    """

    schema: int
    name: str
    task: str
    file: str
    sha256: str
    parent_sha256: str
    precision: str
    target: str
    preprocess: PreprocessSpec
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    classes: tuple[str, ...]
    calibration_sha256: str
    evidence: dict[str, Any]
    licence: str
    command: str
    commit: str


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write indented JSON under a temporary name, then rename."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    os.replace(temporary, path)


def read_manifest(path: Path) -> Manifest:
    """Read one manifest. Raises ModelError for one that is missing, malformed or of another schema."""
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise ModelError(
            f"{path} is no manifest of this version ({error}); export the model again with `echoedge export`"
        ) from error
    if manifest.schema != SCHEMA:
        raise ModelError(f"{path} has schema {manifest.schema}, this version reads {SCHEMA}; export the model again")
    return manifest


def find_manifests(folder: Path) -> list[tuple[Manifest, Path]]:
    """Every manifest of a model folder with its path. Raises ModelError where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelError(
            f"{folder} is no model folder; give one such as models/pspnet-mk, which holds .onnx files and their .json"
        )
    found = [(read_manifest(path), path) for path in sorted(folder.glob("*.json"))]
    if not found:
        raise ModelError(f"{folder} holds no manifest (*.json); make one with `echoedge export`")
    return found


def verified_artefact(manifest: Manifest, path: Path) -> Path:
    """Path of the file that a manifest describes. Raises ModelError where it is missing or was changed."""
    artefact = path.with_name(manifest.file)
    if not artefact.is_file():
        raise ModelError(f"{artefact} is missing though {path.name} describes it; fetch the model folder again")
    found = sha256_of(artefact)
    if found != manifest.sha256:
        raise ModelError(
            f"{artefact} has sha256 {found[:12]}… but its manifest says {manifest.sha256[:12]}…: it was changed or "
            "damaged; fetch the model folder again, or export it anew"
        )
    return artefact
