"""Model folders with engines, as `echoedge engine` leaves them; inside is an ONNX file, which the doubles run."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from edge.nets.manifest import EngineFacts, Gates, Manifest, read_manifest, sha256_of, write_manifest

HERE = ("tensorrt", "10.3.0", 87)
"""Library, release and compute capability of the doubles."""


def quality_folder(model_folders: dict[str, Path], tmp_path: Path) -> Path:
    """The shipped quality net for CPUs, and an FP16 file for TensorRT (FP32's content: the double takes any)."""
    made = tmp_path / "quality"
    made.mkdir()
    for name in ("fp32.onnx", "fp32.json", "int8.onnx", "int8.json"):
        shutil.copy(model_folders["quality"] / name, made / name)
    shutil.copy(made / "fp32.onnx", made / "fp16.onnx")
    half = msgspec.structs.replace(
        read_manifest(made / "fp32.json"), file="fp16.onnx", precision="fp16", target="tensorrt", sha256="1" * 64
    )
    write_manifest(half, made / "fp16.json")
    return made


def add_engine(
    folder: Path,
    precision: str = "fp16",
    facts: tuple[str, str, int] = HERE,
    parent: str = "",
    gates: Gates | None = None,
) -> Manifest:
    """An engine beside its artefact, as `echoedge engine` writes it."""
    artefact = read_manifest(folder / "fp16.json")
    library, version, sm = facts
    path = folder / f"{precision}.{library}-{version}.sm{sm}.engine"
    shutil.copy(folder / "fp16.onnx", path)
    made = msgspec.structs.replace(
        artefact,
        file=path.name,
        sha256=sha256_of(path),
        parent_sha256=parent or artefact.sha256,
        precision=precision,
        target="engine",
        gates=gates or Gates(),
        engine=EngineFacts(library=library, version=version, compute_capabilities=(sm,), jetpack="", settings={}),
    )
    write_manifest(made, path.with_suffix(".json"))
    return made
