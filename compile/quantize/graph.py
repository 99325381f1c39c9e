"""What every pass over an ONNX graph asks of it: who reads a tensor, and what its inner tensors take on."""

from __future__ import annotations

from collections.abc import Collection

import onnx
import onnxruntime


def readers_of(graph: onnx.GraphProto) -> dict[str, list[onnx.NodeProto]]:
    """Tensor -> the nodes that read it, one that reads it twice twice. A name that no node reads is absent."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def session_with(model: onnx.ModelProto, names: Collection[str]) -> onnxruntime.InferenceSession:
    """A session of the graph as it stands, nothing fused, that gives the tensors `names` as outputs too."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    wanted = set(names) - {value.name for value in model.graph.output}
    model.graph.output.extend(v for v in model.graph.value_info if v.name in wanted)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
