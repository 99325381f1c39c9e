"""Engines: built for real by TensorRT for RTX where it is installed, and every TensorRT name checked in 8.6, 10.3 and
11.4.
"""

from __future__ import annotations

import ast
import shutil
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import msgspec
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType

import compile.quantize.precision
from compile.engine.build import build_engine, build_via_torch, device_command
from compile.engine.build import main as engine
from compile.engine.builder import EngineSettings, engine_from_onnx
from compile.engine.targets import check_buildable
from compile.export.checkpoint import graph_from_checkpoint
from compile.export.via_torch import narrow
from compile.quantize.precision import FORMS, Form, Quantizer, fp16_from_onnx
from edge.errors import BackendError, MissingExtraError, ModelError
from edge.nets.artefacts import SEGMENTATION, choose
from edge.nets.backends.trt import open_library
from edge.nets.manifest import Manifest, find_manifests, read_manifest, sha256_of, verified_artefact, write_manifest
from tests.compile.engine.bindings import CLASSES, VERSIONS, names_in

needs_rtx = pytest.mark.skipif(not find_spec("tensorrt_rtx"), reason="TensorRT for RTX is not installed (extra rtx)")
SM86 = EngineSettings(compute_capabilities=(86,))


@needs_rtx
@pytest.mark.parametrize("net", ["pspnet-mk", "quality"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_artefacts_parse_and_build(
    folders: dict[str, Path], quantizers: dict[str, Quantizer], tmp_path: Path, net: str, precision: str
) -> None:
    path = folders[net] / "fp32.onnx"
    if precision == "fp16":
        path = tmp_path / "fp16.onnx"
        fp16_from_onnx(folders[net] / "fp32.onnx", path)
    if precision == "int8":
        path = tmp_path / "int8.onnx"
        quantizers[net].write(path, "tensorrt")
    assert len(engine_from_onnx(open_library("tensorrt_rtx"), path, precision, SM86)) > 100_000


SHIPPED = sorted(
    path for path in (Path(__file__).parents[3] / "models").glob("*/*.json") if read_manifest(path).target != "cpu"
)


@needs_rtx
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_every_shipped_file_for_tensorrt_builds(path: Path) -> None:
    manifest = read_manifest(path)
    blob = engine_from_onnx(open_library("tensorrt_rtx"), verified_artefact(manifest, path), manifest.precision, SM86)
    assert len(blob) > 100_000


REFUSED = {
    "int32 bias": ({**FORMS["tensorrt"].options, "QuantizeBias": True}, QuantType.QInt8, True, "Q/DQ on a bias"),
    "asymmetric int8": ({"QuantizeBias": False}, QuantType.QInt8, False, "asymmetric activations"),
    "asymmetric uint8": ({"QuantizeBias": False}, QuantType.QUInt8, False, "asymmetric activations"),
    "symmetric uint8": (
        {"QuantizeBias": False, "ActivationSymmetric": True},
        QuantType.QUInt8,
        True,
        "unsigned activations",
    ),
}


@needs_rtx
@pytest.mark.parametrize("pattern", REFUSED)
def test_refused_patterns_say_why_and_name_the_node(
    quantizers: dict[str, Quantizer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    options, activation, symmetric, why = REFUSED[pattern]
    operators = FORMS["cpu"].operators if pattern == "int32 bias" else FORMS["tensorrt"].operators
    form = Form(activation, symmetric, operators, options)
    monkeypatch.setitem(compile.quantize.precision.FORMS, "tensorrt", form)
    quantizers["pspnet-mk"].write(tmp_path / "q.onnx", "tensorrt")
    with pytest.raises(ModelError, match=r"(?s)cannot read .*--target orin.*node \S+") as caught:
        engine_from_onnx(open_library("tensorrt_rtx"), tmp_path / "q.onnx", "int8", SM86)
    assert why in str(caught.value) or "the form for CPUs" in str(caught.value)


@needs_rtx
def test_an_unsupported_operator_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Frobnicate", ["x"], ["y"], name="the_odd_one", domain="example.org")
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 4)) for n in "xy"]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("example.org", 1)]
    onnx.save(
        helper.make_model(helper.make_graph([node], "g", ports[:1], ports[1:]), opset_imports=opsets),
        tmp_path / "a.onnx",
    )
    with pytest.raises(ModelError, match=r"(?s)the_odd_one.*Frobnicate"):
        engine_from_onnx(open_library("tensorrt_rtx"), tmp_path / "a.onnx", "fp32", SM86)


@needs_rtx
def test_an_engine_is_built_once_and_rebuilt_when_its_artefact_changes(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "net"
    shutil.copytree(folders["pspnet-mk"], folder)
    trt = open_library("tensorrt_rtx")

    def build(settings: EngineSettings) -> tuple[Manifest, bool]:
        manifest, path = choose(find_manifests(folder), SEGMENTATION, "fp32", "tensorrt")
        sidecar, cached = build_engine(manifest, path, "tensorrt_rtx", trt, settings, "", None)
        return read_manifest(sidecar), cached

    made, cached = build(SM86)
    assert not cached
    assert made.engine is not None
    assert made.engine.compute_capabilities == (86,)
    assert made.parent_sha256 == sha256_of(folder / "fp32.onnx")
    assert build(SM86)[1]
    assert not build(replace(SM86, workspace_mb=512))[1]
    (folder / made.file).write_bytes(b"damaged")
    assert not build(replace(SM86, workspace_mb=512))[1]
    assert (
        choose(find_manifests(folder), SEGMENTATION, "fp32", "tensorrt")[0].target == "any"
    )  # the engine beside it is not taken for an artefact


@needs_rtx
def test_a_target_without_a_number_in_rtx_is_an_error(folders: dict[str, Path]) -> None:
    with pytest.raises(BackendError, match="target SM 87 failed"):
        engine_from_onnx(
            open_library("tensorrt_rtx"),
            folders["pspnet-mk"] / "fp32.onnx",
            "fp32",
            EngineSettings(compute_capabilities=(87,)),
        )


@pytest.mark.parametrize(
    ("library", "wanted", "local", "words"),
    [
        ("tensorrt_rtx", 87, None, r"(?s)no SM 87 \(Jetson Orin\).*echoedge engine models/net"),
        ("tensorrt_rtx", 90, None, "no SM 90"),
        ("tensorrt_rtx", 110, 86, "Jetson Thor"),
        ("tensorrt", 87, 86, r"this machine has SM 86.*run on the Jetson Orin"),
        ("tensorrt", 86, None, "no NVIDIA GPU.*"),
        ("tensorrt", 33, 87, "SM 33 is not a compute capability"),
    ],
)
def test_devices_that_must_build_their_own_get_the_command(
    library: str, wanted: int, local: int | None, words: str
) -> None:
    with pytest.raises(BackendError, match=words):
        check_buildable(library, [wanted], local, device_command(Path("models/net"), "fp16"))


def test_targets_that_may_be_built_pass() -> None:
    check_buildable("tensorrt_rtx", [75, 80, 86, 89, 120, 121], None, "")
    check_buildable("tensorrt", [87], 87, "")


def test_a_missing_artefact_and_a_failed_gate_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "net"
    shutil.copytree(folders["pspnet-mk"], folder)
    with pytest.raises(
        ModelError, match=r"no int8 file of segmentation for the target tensorrt, only fp32; .*--target orin"
    ):
        engine([str(folder), "--precision", "int8", "--library", "tensorrt_rtx"])
    from tests.compile.test_gates import REFERENCE, gate_of

    manifest = read_manifest(folder / "fp32.json")
    failed = gate_of({**REFERENCE, ("A4C", "LV Dice"): 0.1})
    write_manifest(msgspec.structs.replace(manifest, gates=failed), folder / "fp32.json")
    with pytest.raises(ModelError, match=r"fp32\.onnx failed a gate: .*--allow-failed-gate"):
        engine([str(folder), "--precision", "fp32", "--library", "tensorrt_rtx"])


def test_missing_libraries_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorrt_rtx", None)
    monkeypatch.setitem(__import__("sys").modules, "tensorrt", None)
    with pytest.raises(MissingExtraError, match=r"echoedge\[rtx\]"):
        open_library("tensorrt_rtx")
    with pytest.raises(BackendError, match="JetPack"):
        open_library("tensorrt")


GUARDED = {
    "STRONGLY_TYPED",
    "EXPLICIT_BATCH",
    "FP16",
    "INT8",
    "ComputeCapability",
    "set_compute_capability",
    "num_compute_capabilities",
    "IProgressMonitor",
    "progress_monitor",
    "node_name",
    "node_operator",
}
"""Names behind a hasattr: they may be absent from a release."""


def used_names(source: str) -> set[tuple[str, str]]:
    """(class, attribute) pairs that the builder uses; "" is the module itself."""
    used = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        if isinstance(owner, ast.Attribute) and owner.attr in CLASSES:  # self._engine
            used.add((CLASSES[owner.attr], node.attr))
        if isinstance(owner, ast.Name) and owner.id in CLASSES:
            used.add((CLASSES[owner.id], node.attr))
        if isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name) and owner.value.id == "trt":
            used.add((owner.attr, node.attr))
    return used - {("", "__name__"), ("", "__version__")}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_exists_in_the_real_bindings(root: Path, version: str, tmp_path: Path) -> None:
    names = names_in(version, tmp_path)
    used = used_names(
        (root / "compile/engine/builder.py").read_text() + (root / "edge/nets/backends/trt.py").read_text()
    )
    assert {("IBuilderConfig", "set_memory_pool_limit"), ("IExecutionContext", "execute_async_v3")} <= used
    missing = {(c, a) for c, a in used if a not in names.get(c, ()) and a not in GUARDED and c not in GUARDED}
    assert not missing
    creation = names["NetworkDefinitionCreationFlag"]
    assert "STRONGLY_TYPED" in creation or (
        "EXPLICIT_BATCH" in creation and {"FP16", "INT8"} <= set(names["BuilderFlag"])
    )


def test_torch_tensorrt_is_refused_by_name_where_it_cannot_build(
    folders: dict[str, Path], checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "net"
    shutil.copytree(folders["quality"], folder)
    arguments = [str(folder), "--library", "tensorrt_rtx", "--via", "torch-tensorrt"]
    with pytest.raises(ModelError, match="give --checkpoint"):
        engine(arguments)
    with pytest.raises(BackendError, match="needs an NVIDIA GPU"):
        engine([*arguments, "--checkpoint", str(checkpoints["quality"])])
    with pytest.raises(ModelError, match="was exported from another checkpoint"):
        build_via_torch(folder, checkpoints["pspnet-mk"], "fp16", "", 87)
    with pytest.raises(BackendError, match="build INT8 with --via onnx"):
        build_via_torch(folder, checkpoints["quality"], "int8", "", 87)
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    with pytest.raises(MissingExtraError, match=r"echoedge\[torch-tensorrt\]"):
        build_via_torch(folder, checkpoints["quality"], "fp16", "", 87)
    monkeypatch.setitem(sys.modules, "torch_tensorrt", SimpleNamespace(__version__="2.8.0"))
    with pytest.raises(BackendError, match=r"2\.8\.0 is installed, 2\.13 or later is needed"):
        build_via_torch(folder, checkpoints["quality"], "fp16", "", 87)


def test_a_graph_made_narrow_computes_in_float16_and_keeps_its_ports(checkpoints: dict[str, Path]) -> None:
    graph, frame, _ = graph_from_checkpoint(checkpoints["quality"])
    expected = graph(frame)
    narrow(graph)
    program = torch.export.export(graph, (frame,))
    types = {n.meta["val"].dtype for n in program.graph.nodes if "conv" in str(n.target)}
    assert types == {torch.float16}
    found = program.module()(frame)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=0.02)
