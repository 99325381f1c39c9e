from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from calib.feed import FrameFeed
from compile.quantize.equalise import MOST, equalise, observe_channels, round_weights
from compile.quantize.precision import LEVELS, Quantizer
from tests.compile.conftest import frames_of

LEVEL = LEVELS[7]


def chain(between: list[onnx.NodeProto], shared: bool = False) -> onnx.ModelProto:
    """A 3x3 convolution of four channels of very different size, `between` (from "a" to "b"), a depthwise and a 1x1
    one.
    """
    rng = np.random.default_rng(0)
    first = rng.normal(0, 0.3, (4, 1, 3, 3)) * np.array([1.0, 0.1, 0.01, 0.001])[:, None, None, None]
    values = {
        "w1": first,
        "b1": np.full(4, 1e-3),
        "w2": rng.normal(0, 1, (4, 1, 3, 3)),
        "b2": np.full(4, 0.1),
        "w3": rng.normal(0, 1, (2, 4, 1, 1)),
        "b3": np.zeros(2),
        "low": np.zeros(()),
        "high": np.full((), 6.0),
    }
    nodes = [
        helper.make_node("Conv", ["frame", "w1", "b1"], ["a"], "first", pads=[1, 1, 1, 1]),
        *between,
        helper.make_node("Conv", ["b", "w2", "b2"], ["c"], "second", pads=[1, 1, 1, 1], group=4),
        helper.make_node("Relu", ["c"], ["d"], "relu2"),
        helper.make_node("Conv", ["d", "w3", "b3"], ["out"], "third"),
    ]
    if shared:
        nodes.append(helper.make_node("Conv", ["frame", "w1", "b1"], ["also"], "again", pads=[1, 1, 1, 1]))
    outputs = ["out", "also"] if shared else ["out"]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("frame", TensorProto.FLOAT, (1, 1, 16, 16))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(v.astype(np.float32), n) for n, v in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def relu6() -> list[onnx.NodeProto]:
    return [helper.make_node("Clip", ["a", "low", "high"], ["b"], "clip")]


def run(model: onnx.ModelProto, frames: list[np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.stack([session.run(["out"], {"frame": frame})[0] for frame in frames])


def weights_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.fixture
def frames() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(0, 1, (1, 1, 16, 16)).astype(np.float32) for _ in range(4)]


@pytest.mark.parametrize("between", [relu6(), [helper.make_node("Relu", ["a"], ["b"], "relu1")]], ids=["Clip", "Relu"])
def test_channels_get_one_peak_and_the_function_stays(between: list[onnx.NodeProto], frames: list[np.ndarray]) -> None:
    model, feed = chain(between), FrameFeed("frame", frames)
    before = run(model, frames)
    told = equalise(model, observe_channels(model, feed))
    np.testing.assert_allclose(run(model, frames), before, atol=1e-5)
    found = observe_channels(model, feed)
    for name in ("b", "d"):
        np.testing.assert_allclose(found[name].peak, told[name].peak, rtol=1e-5)
        np.testing.assert_allclose(found[name].mean, told[name].mean, rtol=1e-5)
    assert found["d"].peak == pytest.approx(np.full(4, found["d"].peak.max()))
    assert found["b"].peak.min() >= 6 / MOST  # the smallest was a thousandth of the largest


@pytest.mark.parametrize("why", ["weights read twice", "lower bound not 0", "tensor read twice"])
def test_a_pair_that_something_else_reads_is_left_alone(why: str, frames: list[np.ndarray]) -> None:
    model = chain(relu6(), shared=why == "weights read twice")
    if why == "lower bound not 0":
        next(t for t in model.graph.initializer if t.name == "low").CopyFrom(
            numpy_helper.from_array(np.float32(-1), "low")
        )
    if why == "tensor read twice":
        model.graph.output.append(next(v for v in model.graph.value_info if v.name == "b"))
    before = weights_of(model)
    equalise(model, observe_channels(model, FrameFeed("frame", frames)))
    np.testing.assert_array_equal(weights_of(model)["w1"], before["w1"])


def test_a_graph_whose_convolutions_read_inputs_alone_is_left_alone() -> None:
    model = chain(relu6())
    del model.graph.node[1:]
    model.graph.output[0].name = "a"
    assert observe_channels(model, FrameFeed("frame", [np.zeros((1, 1, 16, 16), np.float32)])) == {}


def test_rounded_weights_lie_on_the_grid_and_keep_each_filters_sum(frames: list[np.ndarray]) -> None:
    model = chain(relu6())
    exact = weights_of(model)
    round_weights(model, observe_channels(model, FrameFeed("frame", frames)), ["first", "second"], LEVEL)
    rounded = weights_of(model)
    for name in ("w1", "w2"):
        step = np.abs(exact[name]).max((1, 2, 3), keepdims=True) / LEVEL
        steps = rounded[name] / step
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
        assert np.abs(rounded[name] - exact[name]).max() <= step.max() * 1.001
        assert (np.abs((rounded[name] - exact[name]).sum((2, 3))) <= 0.51 * step[:, :, 0, 0]).all()
        assert np.abs(rounded[name]).max((1, 2, 3)) == pytest.approx(np.abs(exact[name]).max((1, 2, 3)))
    np.testing.assert_array_equal(rounded["w3"], exact["w3"])  # was not asked for


def test_the_bias_takes_up_what_rounding_adds_on_the_mean(frames: list[np.ndarray]) -> None:
    frames = [frame + 3 for frame in frames]  # a mean far from zero, as the black around a sector has
    model, feed = chain(relu6()), FrameFeed("frame", frames)
    channels = observe_channels(model, feed)
    exact = weights_of(model)
    round_weights(model, channels, ["third"], 4)
    rounded = weights_of(model)
    moved = (rounded["w3"] - exact["w3"])[:, :, 0, 0] @ channels["d"].mean
    assert np.abs(moved).max() > 1e-3
    np.testing.assert_allclose(exact["b3"] - rounded["b3"], moved, rtol=1e-4)


def test_the_file_holds_the_rounded_weights(folders: dict[str, Path], tmp_path: Path) -> None:
    quantizer = Quantizer(folders["pspnet-mk"] / "fp32.onnx", FrameFeed("frame", frames_of(89)))
    quantizer.write(tmp_path / "q.onnx")
    asked = onnx.ModelProto.FromString(quantizer.model.SerializeToString())
    round_weights(asked, quantizer.channels, quantizer.layers, LEVEL)
    expected = weights_of(asked)
    graph = onnx.load(tmp_path / "q.onnx").graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    seen = 0
    for node in graph.node:
        name = node.output[0].removesuffix("_DequantizeLinear_Output")
        if node.op_type == "DequantizeLinear" and expected.get(name, np.zeros(())).ndim == 4:
            integers, scale = constants[node.input[0]], constants[node.input[1]]
            found = integers.astype(np.float32) * scale[:, None, None, None]
            np.testing.assert_allclose(found, expected[name], atol=1e-6 + 1e-4 * scale.max())
            seen += 1
    assert seen == sum(1 for name, value in expected.items() if value.ndim == 4)
