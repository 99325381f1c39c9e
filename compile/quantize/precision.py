"""Precision in the file: FP32 ONNX to FP16, or to INT8 with explicit Q/DQ in the form that each target reads."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import TensorData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from calib.feed import Feed
from compile.quantize.equalise import equalise, observe_channels, round_weights
from compile.quantize.ranges import Observed, clip_range, observe

WEIGHTED = ("Conv", "Gemm", "MatMul")
LEVELS = {7: 64, 8: 127}
"""Bits of a weight -> steps from 0 to the largest, as ONNX Runtime counts them."""


@dataclass(frozen=True)
class Form:
    """How Q/DQ pairs must look: activation type, symmetry, which operators get them and whether their outputs do too,
    bits of weights."""

    activation: QuantType
    symmetric: bool
    operators: tuple[str, ...]
    options: Mapping[str, Any]
    weight_bits: int = 8


FORMS = {
    # OpenVINO and ONNX Runtime run whole chains of integers: every operator between convolutions is quantised too.
    # Weights have seven bits: x86 CPUs without VNNI add pairs of products in 16 bits, where eight-bit ones saturate.
    "cpu": Form(
        QuantType.QUInt8,
        False,
        ("Conv", "Add", "Concat", "Clip", "AveragePool", "GlobalAveragePool", "ReduceMean", "Gemm", "MatMul"),
        {},
        weight_bits=7,
    ),
    # TensorRT refuses zero points, uint8 and int32 biases, and fuses Conv + Clip only without a pair between them: so
    # pairs stand at the inputs of convolutions alone.
    "tensorrt": Form(
        QuantType.QInt8,
        True,
        ("Conv", "Gemm", "MatMul"),
        {
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": ["Conv", "Gemm", "MatMul"],
        },
    ),
}


def fp16_from_onnx(source: Path, target: Path) -> None:
    """Write `source` with float16 weights and activations; inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with warnings.catch_warnings():  # tells of every weight that becomes a subnormal or zero
        warnings.simplefilter("ignore")
        model = convert_float_to_float16(onnx.load(source), keep_io_types=True)
    OnnxModel(model).topological_sort()  # the casts of further float inputs are appended behind their readers
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, target)


class Quantizer:
    """A graph equalised and observed over a calibration feed, which writes INT8 files of any form and method."""

    def __init__(self, source: Path, feed: Feed) -> None:
        with tempfile.TemporaryDirectory() as folder:
            prepared = Path(folder) / "prepared.onnx"
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            self.model = onnx.load(prepared)
        self.channels = equalise(self.model, observe_channels(self.model, feed))
        self.observed: dict[str, Observed] = observe(self.model, feed)
        nodes = self.model.graph.node
        last = max(i for i, n in enumerate(nodes) if n.op_type in ("Conv", "Gemm"))
        # Normalisation of the input, and the upsampling (two products) that class borders are decided by.
        self._kept = [n.name for n in nodes if n.op_type in ("Cast", "Mul", "Div", "Sub")]
        self._kept += [n.name for n in nodes[last + 1 :]]
        self._kept += joins_in_float(nodes)
        self.layers = [n.name for n in nodes[: last + 1] if n.op_type in WEIGHTED]
        """Names of the layers with weights, in graph order."""
        clips = {n.input[0]: n.name for n in nodes if n.op_type in ("Clip", "Relu")}
        self._activation = {n.name: clips[n.output[0]] for n in nodes if n.output[0] in clips}

    def write(
        self,
        target: Path,
        form: str = "cpu",
        method: str = "min-max",
        float_nodes: Collection[str] = (),
        only_nodes: Collection[str] = (),
    ) -> None:
        """Write a Q/DQ file: int8 per-channel weights, activations as `form` says, ranges by `method`.

        float_nodes: layers left in float. only_nodes: layers that alone are quantised. Both by node name, each with the
        activation behind it.
        """
        rules = FORMS[form]
        ranges = {}
        for name, observed in self.observed.items():
            low, high = (np.float32(bound) for bound in clip_range(observed, method, rules.symmetric))
            ranges[name] = TensorData(lowest=low, highest=high)
        excluded = [*self._kept, *self._with_activations(float_nodes)]
        model = onnx.ModelProto.FromString(self.model.SerializeToString())
        rounded = set(only_nodes or self.layers) - set(float_nodes)
        round_weights(model, self.channels, rounded, LEVELS[rules.weight_bits])
        logging.disable(logging.WARNING)
        try:
            quantizer = QDQQuantizer(
                model,
                per_channel=True,
                reduce_range=rules.weight_bits == 7,
                weight_qType=QuantType.QInt8,
                activation_qType=rules.activation,
                tensors_range=ranges,
                nodes_to_quantize=self._with_activations(only_nodes),
                nodes_to_exclude=excluded,
                op_types_to_quantize=list(rules.operators),
                extra_options=dict(rules.options),
            )
            quantizer.quantize_model()
            quantizer.model.save_model_to_file(str(target))
        finally:
            logging.disable(logging.NOTSET)
        onnx.checker.check_model(onnx.load(target), full_check=True)

    def _with_activations(self, layers: Collection[str]) -> list[str]:
        return [*layers, *(self._activation[name] for name in layers if name in self._activation)]


def joins_in_float(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """Names of the joins (Concat) that something else than a layer with weights reads, as in dense blocks.

    Integers gain nothing there: batch norm takes floats. And where batch norm alone reads a join, OpenVINO 2026.4.1
    ends the process: its low-precision pass MoveFakeQuantize takes it for the join's dequantisation and follows a null
    pointer.
    """
    light = {name for n in nodes if n.op_type not in WEIGHTED for name in n.input}
    return [n.name for n in nodes if n.op_type == "Concat" and n.output[0] in light]
