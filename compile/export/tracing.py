"""A torch module to an ONNX graph by torch's tracer, tidied by ONNX Runtime: opset 17, which TensorRT 8.x reads too."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import nn

OPSET = 17


def traced(
    graph: nn.Module, inputs: tuple[torch.Tensor, ...], names: Sequence[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    """The module's graph for the shapes of `inputs`, checked.

    The tracer writes shapes as arithmetic: ONNX Runtime folds them, and folds batch norm into convolutions.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw, folded = Path(folder) / "traced.onnx", Path(folder) / "folded.onnx"
        torch.onnx.export(
            graph,
            inputs,
            str(raw),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(names),
            output_names=list(outputs),
        )
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(folded)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        model = onnx.load(folded)
    used = {node.domain for node in model.graph.node}
    kept = [o for o in model.opset_import if o.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    onnx.checker.check_model(model, full_check=True)
    return model
