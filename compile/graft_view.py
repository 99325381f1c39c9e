"""Put a trained view head onto the quality network's files: `echoedge graft view`. The scores keep their bits.

The head reads two inner tensors of each file, so that the quantised trunk stays as it was calibrated; it runs in float.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from edge.errors import ModelError
from edge.heart.plane import PLANES
from edge.nets.manifest import (
    MIRRORED_OUTPUT,
    UPSIDE_DOWN_OUTPUT,
    VIEW_OUTPUT,
    Manifest,
    Port,
    find_manifests,
    sha256_of,
    write_manifest,
)
from train.view.features import COARSE, FINE

PREFIX = "view_head."
OUTPUTS = (
    Port(VIEW_OUTPUT, (1, len(PLANES)), "float32", "probability of each plane: " + ", ".join(PLANES)),
    Port(MIRRORED_OUTPUT, (1, 1), "float32", "probability that left and right are exchanged"),
    Port(UPSIDE_DOWN_OUTPUT, (1, 1), "float32", "probability that the probe is at the bottom"),
)
Weights = Mapping[str, NDArray[np.float32]]


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="echoedge graft view",
        description="Put a view head onto every ONNX file of a quality model folder; scores stay bit for bit.",
        epilog="example: echoedge graft view models/quality --head runs/view/head.safetensors",
    )
    p.add_argument("folder", type=Path, help="the quality model's folder")
    p.add_argument("--head", type=Path, required=True, help="head.safetensors of `echoedge train view`")
    return p


def main(argv: Sequence[str]) -> int:
    args = parser().parse_args(argv)
    for name in graft_folder(args.folder, args.head):
        print(name)
    return 0


def graft_folder(folder: Path, head: Path) -> list[str]:
    """Graft each ONNX file of a model folder and write its manifest anew; names of the files.

    Engines are left alone: they must be built again. Raises ModelError for a folder of another task.
    """
    weights = load_file(head)
    found = [(manifest, path) for manifest, path in find_manifests(folder) if manifest.engine is None]
    renamed: dict[str, str] = {}
    for manifest, path in found:
        if manifest.task != "quality":
            raise ModelError(f"{path} is for '{manifest.task}'; a view head goes onto a quality model")
        artefact = path.with_name(manifest.file)
        temporary = artefact.with_name(artefact.name + ".part")
        onnx.save(grafted(onnx.load(artefact), weights), temporary)
        os.replace(temporary, artefact)
        renamed[manifest.sha256] = sha256_of(artefact)
    for manifest, path in found:
        write_manifest(_described(manifest, renamed), path)
    return [manifest.file for manifest, _ in found]


def grafted(model: onnx.ModelProto, weights: Weights) -> onnx.ModelProto:
    """The graph with a head's nodes and its three outputs; a head that was there is replaced."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    outputs = {port.name for port in OUTPUTS}
    for field, keep in (
        (graph.node, [node for node in graph.node if not node.name.startswith(PREFIX)]),
        (graph.initializer, [tensor for tensor in graph.initializer if not tensor.name.startswith(PREFIX)]),
        (graph.output, [value for value in graph.output if value.name not in outputs]),
    ):
        del field[:]
        field.extend(keep)
    fine, coarse = (_tap(graph, name) for name in (FINE, COARSE))
    nodes, tensors = _head(fine, coarse, weights)
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)
    graph.output.extend(helper.make_tensor_value_info(p.name, TensorProto.FLOAT, p.shape) for p in OUTPUTS)
    onnx.checker.check_model(model, full_check=True)
    return model


def _tap(graph: onnx.GraphProto, name: str) -> str:
    """The tensor to read: behind quantisation where the trunk itself reads it there, so that nothing is fused anew."""
    made = {output for node in graph.node for output in node.output}
    for tensor in (f"{name}_DequantizeLinear_Output", name):
        if tensor in made:
            return tensor
    raise ModelError(f"the graph has no tensor '{name}'; export the quality model anew with `echoedge export`")


def _head(fine: str, coarse: str, weights: Weights) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """Nodes and tensors of `train.nets.view_head.ViewHead` in evaluation, with probabilities as outputs."""
    nodes, tensors = (
        [],
        [
            numpy_helper.from_array(np.ascontiguousarray(value, np.float32), PREFIX + name)
            for name, value in weights.items()
        ],
    )

    def add(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        name = output if output in {p.name for p in OUTPUTS} else PREFIX + output
        nodes.append(helper.make_node(kind, list(inputs), [name], name=PREFIX + output, **attributes))
        return name

    def conv(x: str, name: str, stride: int) -> str:
        size = weights[f"{name}.weight"].shape[2]
        inputs = (x, f"{PREFIX}{name}.weight", f"{PREFIX}{name}.bias")
        pads = [size // 2] * 4
        y = add("Conv", inputs, f"{name}.y", kernel_shape=[size, size], strides=[stride] * 2, pads=pads)
        return add("Relu", [y], f"{name}.relu")

    def part(x: str, first: int, last: int, output: str) -> str:
        limits = []
        for word, value in (("first", first), ("last", last), ("axis", 1)):
            tensor = numpy_helper.from_array(np.array([value], np.int64), f"{PREFIX}{output}.{word}")
            tensors.append(tensor)
            limits.append(tensor.name)
        return add("Slice", [x, *limits], output)

    fine, coarse = (add("Cast", [name], f"{k}.float", to=TensorProto.FLOAT) for k, name in (("f", fine), ("c", coarse)))
    small = add("AveragePool", [fine], "fine.pooled", kernel_shape=[2, 2], strides=[2, 2])
    both = add("Concat", [small, coarse], "both", axis=1)
    flat = add("Flatten", [conv(conv(both, "mix.0", 1), "grid.0", 2)], "flat")
    logits = add("Gemm", [flat, PREFIX + "out.1.weight", PREFIX + "out.1.bias"], "logits", transB=1)
    count = len(PLANES)
    add("Softmax", [part(logits, 0, count, "planes")], VIEW_OUTPUT, axis=1)
    add("Sigmoid", [part(logits, count, count + 1, "left_right")], MIRRORED_OUTPUT)
    add("Sigmoid", [part(logits, count + 1, count + 2, "top_bottom")], UPSIDE_DOWN_OUTPUT)
    return nodes, tensors


def _described(manifest: Manifest, renamed: Mapping[str, str]) -> Manifest:
    """The manifest with the head's outputs and the files' new digests, also where gates name them."""
    gates = manifest.gates
    if gates.accuracy is not None:
        reference = gates.accuracy.reference_sha256
        accuracy = msgspec.structs.replace(gates.accuracy, reference_sha256=renamed.get(reference, reference))
        gates = msgspec.structs.replace(gates, accuracy=accuracy)
    if gates.speed is not None:
        reference = gates.speed.reference_sha256
        speed = msgspec.structs.replace(gates.speed, reference_sha256=renamed.get(reference, reference))
        gates = msgspec.structs.replace(gates, speed=speed)
    names = {port.name for port in OUTPUTS}
    return msgspec.structs.replace(
        manifest,
        sha256=renamed[manifest.sha256],
        parent_sha256=renamed.get(manifest.parent_sha256, manifest.parent_sha256),
        outputs=(*(port for port in manifest.outputs if port.name not in names), *OUTPUTS),
        gates=gates,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
