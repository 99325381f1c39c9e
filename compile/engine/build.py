"""`echoedge engine`: build an engine beside its artefact, with a manifest, or take the one that is already there."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from rich.progress import Progress

from compile.engine.builder import EngineSettings, engine_from_onnx, layers_of
from compile.engine.race import race_engines
from compile.engine.targets import DEFAULT_RTX, check_buildable
from edge.errors import BackendError, ModelError
from edge.jetson.board import detect
from edge.machine import compute_capability, recorded
from edge.nets.artefacts import PRECISIONS, choose, tasks_of
from edge.nets.backends.trt import LIBRARIES, open_library
from edge.nets.manifest import (
    EngineFacts,
    Gates,
    Manifest,
    find_manifests,
    read_manifest,
    sha256_of,
    verified_artefact,
    write_manifest,
)
from edge.options import add_allow_failed_gate
from edge.terminal import terminal


def build_engine(
    manifest: Manifest,
    path: Path,
    library: str,
    trt: ModuleType,
    settings: EngineSettings,
    command: str,
    local: int | None,
    progress: Progress | None = None,
) -> tuple[Path, bool]:
    """The engine's manifest path, and whether the engine was taken from the cache.

    The cache is the model folder: an engine is taken when artefact, library, version, compute capability and settings
    are those asked for and its file is whole.
    """
    artefact = verified_artefact(manifest, path)
    targets = settings.compute_capabilities or ((local,) if local else ())
    facts = EngineFacts(
        library=library,
        version=str(trt.__version__),
        compute_capabilities=targets,
        jetpack=detect().jetson_linux,
        settings=_settings_of(settings),
    )
    sm = "-".join(f"sm{number}" for number in targets) or "portable"
    target = path.with_name(f"{artefact.stem}.{library}-{facts.version}.{sm}.engine")
    sidecar = target.with_suffix(".json")
    if _is_current(sidecar, manifest, facts):
        return sidecar, True
    blob = engine_from_onnx(trt, artefact, manifest.precision, settings, progress)
    _write_engine(blob, target, manifest, facts, command)
    return sidecar, False


def build_via_torch(folder: Path, checkpoint: Path, precision: str, command: str, local: int) -> Path:
    """Build from the checkpoint that a folder's FP32 file was exported from; the engine's manifest path.

    Raises ModelError for another checkpoint, since the manifest would then describe another network.
    """
    from compile.export.via_torch import OUTPUT, engine_from_checkpoint

    found = find_manifests(folder)
    tasks = tasks_of(found)
    if len(tasks) > 1:
        raise ModelError(f"torch-tensorrt builds one network, {folder} holds {' and '.join(tasks)}; use --via onnx")
    manifest, _ = choose(found, tasks[0], "fp32", "any", allow_failed_gate=True)
    if sha256_of(checkpoint) != manifest.parent_sha256:
        raise ModelError(f"{manifest.file} of {folder} was exported from another checkpoint; export {checkpoint} first")
    blob, release = engine_from_checkpoint(checkpoint, precision)
    facts = EngineFacts(
        library="tensorrt",
        version=str(open_library("tensorrt").__version__),
        compute_capabilities=(local,),
        jetpack=detect().jetson_linux,
        settings={"via": f"torch-tensorrt {release}"},
    )
    target = folder / f"{precision}.torch-tensorrt-{release}.sm{local}.engine"
    output = msgspec.structs.replace(manifest.outputs[0], name=OUTPUT)
    manifest = msgspec.structs.replace(manifest, precision=precision, outputs=(output,), gates=Gates())
    return _write_engine(blob, target, manifest, facts, command)


def _write_engine(blob: bytes, target: Path, manifest: Manifest, facts: EngineFacts, command: str) -> Path:
    """Write an engine of the artefact that `manifest` describes, with its own manifest; the path of that."""
    temporary = target.with_name(target.name + ".part")
    temporary.write_bytes(blob)
    os.replace(temporary, target)
    made = msgspec.structs.replace(
        manifest,
        file=target.name,
        sha256=sha256_of(target),
        parent_sha256=manifest.sha256,
        target="engine",
        evidence={"bytes": len(blob)},
        command=command,
        engine=facts,
        gates=msgspec.structs.replace(manifest.gates, speed=None),
    )
    write_manifest(made, target.with_suffix(".json"))
    return target.with_suffix(".json")


def _settings_of(settings: EngineSettings) -> dict[str, Any]:
    kept = asdict(settings)
    del kept["compute_capabilities"], kept["timing_cache"]
    return kept


def _is_current(sidecar: Path, manifest: Manifest, facts: EngineFacts) -> bool:
    if not sidecar.is_file():
        return False
    made = read_manifest(sidecar)
    engine = sidecar.with_name(made.file)
    whole = engine.is_file() and sha256_of(engine) == made.sha256
    return whole and made.parent_sha256 == manifest.sha256 and made.engine == facts


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge engine",
        description="Build a TensorRT engine from each ONNX file of a precision in a model folder.",
        epilog="example: echoedge engine models/pspnet-mk --precision fp16 --library tensorrt_rtx --sm 86",
    )
    p.add_argument("model", type=Path, help="model folder")
    p.add_argument("--precision", choices=PRECISIONS, default="fp16")
    p.add_argument("--library", choices=("auto", *LIBRARIES), default="auto")
    p.add_argument(
        "--sm",
        type=int,
        action="append",
        help="compute capability, 86 for 8.6; repeatable (default: this machine's GPU; with RTX 86, 89 and 120)",
    )
    p.add_argument("--workspace", type=int, default=1024, help="ceiling of scratch memory in MB (default 1024)")
    p.add_argument("--level", type=int, choices=range(6), help="builder optimisation level: time to build for speed")
    p.add_argument("--timing-cache", type=Path, help="file of layer timings, read and written (TensorRT only)")
    p.add_argument("--dla", type=int, help="DLA core, the GPU takes what it cannot run (experimental)")
    p.add_argument(
        "--race",
        type=int,
        metavar="ROUNDS",
        nargs="?",
        const=100,
        help="then run the int8 and fp16 engines in turn and write down which is faster (default 100 rounds)",
    )
    p.add_argument("--layers", type=Path, help="write the engine's layers as JSON; needs its GPU")
    add_allow_failed_gate(p)
    p.add_argument(
        "--via",
        choices=("onnx", "torch-tensorrt"),
        default="onnx",
        help="torch-tensorrt compiles --checkpoint where that package runs",
    )
    p.add_argument("--checkpoint", type=Path, help="safetensors file, for --via torch-tensorrt")
    return p


def device_command(model: Path, precision: str) -> str:
    """The command that builds an engine on the machine that runs it."""
    return shlex.join(["echoedge", "engine", str(model), "--precision", precision, "--library", "tensorrt"])


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    console = terminal(stderr=True)
    local = compute_capability()
    library = args.library
    if library == "auto":
        library = "tensorrt" if find_spec("tensorrt") or not find_spec("tensorrt_rtx") else "tensorrt_rtx"
    wanted = tuple(args.sm or (DEFAULT_RTX if library == "tensorrt_rtx" else [local] if local else ()))
    check_buildable(library, wanted, local, device_command(args.model, args.precision))
    command = recorded("engine", argv)
    if args.via == "torch-tensorrt":
        if args.checkpoint is None:
            raise ModelError("--via torch-tensorrt compiles a checkpoint: give --checkpoint FILE.safetensors")
        if local is None:
            raise BackendError("torch-tensorrt needs an NVIDIA GPU and finds none; build with --via onnx")
        sidecar = build_via_torch(args.model, args.checkpoint, args.precision, command, local)
        print(sidecar.with_suffix(".engine"))
        return 0
    found = find_manifests(args.model)
    tasks = tasks_of(found)
    chosen = [choose(found, task, args.precision, "tensorrt", args.allow_failed_gate) for task in tasks]
    trt = open_library(library)
    if library == "tensorrt" and local is None:
        raise BackendError("no NVIDIA GPU is visible, which TensorRT needs to build; run this on the device")
    settings = EngineSettings(
        args.workspace,
        args.level,
        wanted if library == "tensorrt_rtx" else (),
        args.timing_cache,
        args.dla,
        detailed=args.layers is not None,
    )
    if args.layers and len(chosen) > 1:
        raise ModelError(f"--layers describes one engine, {args.model} makes {len(chosen)}: {', '.join(tasks)}")
    for manifest, path in chosen:
        with Progress(console=console, transient=True) as progress:
            sidecar, cached = build_engine(manifest, path, library, trt, settings, command, local, progress)
        made = read_manifest(sidecar)
        if args.layers:
            args.layers.write_text(layers_of(trt, sidecar.with_name(made.file).read_bytes()))
        print(f"{sidecar.with_name(made.file)}{' (already built)' if cached else ''}")
    for task in tasks if args.race else ():
        gate = race_engines(args.model, task, args.race)
        verdict = "; ".join(gate.failures()) or "chosen from here on"
        print(f"int8 p90 {gate.p90_ms:.2f} ms, the wider engine's {gate.reference_p90_ms:.2f} ms: {verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
