"""A graph with memory gives the same on every engine: the backend feeds the states and zeroes them when asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge.nets.backends.base import Backend, states_of
from edge.nets.backends.ort import OnnxRuntimeBackend
from edge.nets.backends.ov import OpenVinoBackend
from edge.nets.backends.trt import TensorRtBackend
from tests.edge.nets.backends.double import Device

SHAPE = (1, 2, 3)
OPENERS: dict[str, Callable[[Path], Backend]] = {
    "onnxruntime": lambda path: OnnxRuntimeBackend(path, 1),
    "openvino": lambda path: OpenVinoBackend(path, 1),
    "tensorrt, discrete": TensorRtBackend,
    "tensorrt, integrated": TensorRtBackend,
}


@pytest.fixture(scope="module")
def summing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sum.next = sum + frame, count.next = count + 1, out = 2 sum.next + count.next."""
    floats = TensorProto.FLOAT
    one, two = (helper.make_tensor(name, floats, [], [value]) for name, value in (("one", 1.0), ("two", 2.0)))
    nodes = [
        helper.make_node("Add", ["sum", "frame"], ["sum.next"]),
        helper.make_node("Add", ["count", "one"], ["count.next"]),
        helper.make_node("Mul", ["sum.next", "two"], ["doubled"]),
        helper.make_node("Add", ["doubled", "count.next"], ["out"]),
    ]
    ports = {n: helper.make_tensor_value_info(n, floats, SHAPE) for n in ("frame", "sum", "count", "out")}
    following = [helper.make_tensor_value_info(f"{n}.next", floats, SHAPE) for n in ("sum", "count")]
    graph = helper.make_graph(
        nodes, "summing", [ports["frame"], ports["sum"], ports["count"]], [ports["out"], *following], [one, two]
    )
    path = tmp_path_factory.mktemp("states") / "summing.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", OPENERS)
def test_states_go_from_frame_to_frame_and_start_at_zero(
    summing: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("tensorrt"):
        Device(name.endswith("integrated")).install(monkeypatch)
    backend = OPENERS[name](summing)
    rng = np.random.default_rng(0)
    for recording in range(2):
        if recording:
            backend.reset()
        total = np.zeros(SHAPE, np.float32)
        for number in range(1, 6):
            frame = rng.integers(0, 9, SHAPE).astype(np.float32)
            total += frame
            outputs = backend.infer({"frame": frame})
            assert set(outputs) == {"out"}
            np.testing.assert_array_equal(outputs["out"], 2 * total + number)


@pytest.mark.parametrize(
    ("inputs", "outputs", "states"),
    [
        (["frame", "y1", "h1"], ["mask", "y1.next", "h1.next"], {"y1": "y1.next", "h1": "h1.next"}),
        (["frame"], ["mask", "frame.nextdoor"], {}),
        (["frame", "y1"], ["mask"], {}),
    ],
)
def test_states_name_themselves(inputs: list[str], outputs: list[str], states: dict[str, str]) -> None:
    assert states_of(inputs, outputs) == states
