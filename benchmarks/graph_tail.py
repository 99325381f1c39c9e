"""What the end of the segmentation graph costs on a CPU: upsampling and argmax in several forms, run in turn.

python benchmarks/graph_tail.py MODEL/int8.onnx [--frames inputs.npy] prints median and minimum of each form in ms, the
median of its ratio to the first, and the share of pixels that get another class. "logits" stops before the
tail: the difference to it is what a tail costs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

Nodes = tuple[list[onnx.NodeProto], list[onnx.TensorProto], tuple[int, ...], int]
"""(nodes, initializers, shape of "mask", its element type): what replaces the file's tail."""


def constant(name: str, value: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(value, name)


def resize(source: str, target: str, sizes: tuple[int, ...], mode: str = "align_corners") -> onnx.NodeProto:
    return helper.make_node(
        "Resize", [source, "", "", f"{target}_sizes"], [target], mode="linear", coordinate_transformation_mode=mode
    )


def interpolation(size: int, cells: int) -> np.ndarray:
    """size x cells matrix of linear interpolation with aligned corners."""
    place = np.arange(size) * (cells - 1) / (size - 1)
    low = np.minimum(place.astype(int), cells - 2)
    matrix = np.zeros((size, cells), np.float32)
    matrix[np.arange(size), low] = 1 - (place - low)
    matrix[np.arange(size), low + 1] = place - low
    return matrix


def arg_max(source: str, axis: int = 1) -> list[onnx.NodeProto]:
    return [
        helper.make_node("ArgMax", [source], ["index"], axis=axis, keepdims=0),
        helper.make_node("Cast", ["index"], ["mask"], to=TensorProto.UINT8),
    ]


def compared(source: str) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Argmax of four channels by three comparisons; a tie goes to the lower class, as in ArgMax."""
    nodes = [
        helper.make_node("Split", [source], ["c0", "c1", "c2", "c3"], axis=1, num_outputs=4),
        helper.make_node("Greater", ["c1", "c0"], ["g01"]),
        helper.make_node("Greater", ["c3", "c2"], ["g23"]),
        helper.make_node("Max", ["c0", "c1"], ["m01"]),
        helper.make_node("Max", ["c2", "c3"], ["m23"]),
        helper.make_node("Where", ["g01", "one", "zero"], ["i01"]),
        helper.make_node("Where", ["g23", "three", "two"], ["i23"]),
        helper.make_node("Greater", ["m23", "m01"], ["g"]),
        helper.make_node("Where", ["g", "i23", "i01"], ["wide"]),
        helper.make_node("Squeeze", ["wide", "channel"], ["mask"]),
    ]
    values = [constant(n, np.array(v, np.uint8)) for v, n in enumerate(("zero", "one", "two", "three"))]
    return nodes, [*values, constant("channel", np.array([1], np.int64))]


def tails(logits: str, cells: int, size: int) -> dict[str, Nodes]:
    """Every form by name; ratios are to the first."""
    full = [resize(logits, "up", ()), *arg_max("up")]
    sizes = constant("up_sizes", np.array([1, 4, size, size], np.int64))
    shape = (1, size, size)
    matrix = interpolation(size, cells)
    products = [
        helper.make_node("MatMul", [logits, "across"], ["wide_rows"]),
        helper.make_node("MatMul", ["down", "wide_rows"], ["up"]),
    ]
    matrices = [constant("across", np.ascontiguousarray(matrix.T)), constant("down", matrix)]
    compare_nodes, compare_values = compared("up")
    top = [
        resize(logits, "up", ()),
        helper.make_node("TopK", ["up", "k"], ["best", "top"], axis=1),
        helper.make_node("Squeeze", ["top", "channel"], ["index"]),
        helper.make_node("Cast", ["index"], ["mask"], to=TensorProto.UINT8),
    ]
    k = [sizes, constant("k", np.array([1], np.int64)), constant("channel", np.array([1], np.int64))]
    last = [
        helper.make_node("Transpose", [logits], ["nhwc"], perm=[0, 2, 3, 1]),
        resize("nhwc", "up", ()),
        *arg_max("up", 3),
    ]
    pair = [constant("scale", np.array(0.25, np.float32)), constant("point", np.array(128, np.uint8))]

    def quantised(source: str, target: str) -> list[onnx.NodeProto]:
        return [
            helper.make_node("QuantizeLinear", [source, "scale", "point"], [f"{target}_q"]),
            helper.make_node("DequantizeLinear", [f"{target}_q", "scale", "point"], [target]),
        ]

    in_int8 = [*quantised(logits, "ql"), resize("ql", "up", ()), *quantised("up", "qup"), *arg_max("qup")]
    half = (size + 1) // 2
    small = [constant("up_sizes", np.array([1, 4, half, half], np.int64))]
    identity = [helper.make_node("Identity", [logits], ["mask"])]
    u8, f32 = TensorProto.UINT8, TensorProto.FLOAT
    return {
        "resize, argmax": (full, [sizes], shape, u8),
        "logits": (identity, [], (1, 4, cells, cells), f32),
        "resize only": (
            [resize(logits, "mask", ())],
            [constant("mask_sizes", numpy_helper.to_array(sizes))],
            (1, 4, size, size),
            f32,
        ),
        "resize, comparisons": ([full[0], *compare_nodes], [sizes, *compare_values], shape, u8),
        "resize, top-k": (top, k, shape, u8),
        "resize and argmax, channels last": (
            last,
            [constant("up_sizes", np.array([1, size, size, 4], np.int64))],
            shape,
            u8,
        ),
        "two matrix products, argmax (exported)": ([*products, *arg_max("up")], matrices, shape, u8),
        "two matrix products, comparisons": ([*products, *compare_nodes], [*matrices, *compare_values], shape, u8),
        "INT8 resize, argmax": (in_int8, [sizes, *pair], shape, u8),
        "resize to half, argmax": (full, small, (1, half, half), u8),
        "resize to half, comparisons": ([full[0], *compare_nodes], [*small, *compare_values], (1, half, half), u8),
    }


def logits_of(model: onnx.ModelProto) -> str:
    """The tensor that the file's own tail starts from."""
    producers = {name: node for node in model.graph.node for name in node.output}
    constants = {value.name for value in model.graph.initializer}
    node = producers[next(n for n in model.graph.node if n.op_type == "ArgMax").input[0]]
    while True:
        source = next(name for name in node.input if name and name not in constants)
        if producers[source].op_type not in ("MatMul", "Resize"):
            return source
        node = producers[source]


def with_tail(model: onnx.ModelProto, logits: str, tail: Nodes) -> onnx.ModelProto:
    """The model with everything after `logits` replaced."""
    nodes, values, shape, kind = tail
    last = next(i for i, node in enumerate(model.graph.node) if logits in node.output)
    graph = helper.make_graph(
        [*model.graph.node[: last + 1], *nodes],
        "tail",
        list(model.graph.input),
        [helper.make_tensor_value_info("mask", kind, shape)],
        [*model.graph.initializer, *values],
    )
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def compiled(path: Path, threads: int, nhwc: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    core = openvino.Core()
    model = core.read_model(path)
    if nhwc:
        from openvino.preprocess import PrePostProcessor

        steps = PrePostProcessor(model)
        steps.input().tensor().set_layout(openvino.Layout("NHWC"))
        steps.input().model().set_layout(openvino.Layout("NCHW"))
        model = steps.build()
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(frame: np.ndarray) -> np.ndarray:
        request.infer([frame.reshape(1, *frame.shape[2:], 1) if nhwc else frame], share_inputs=True)
        return request.get_output_tensor(0).data

    return run


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=Path, help="fp32.onnx or int8.onnx of a segmentation model")
    p.add_argument("--frames", type=Path, help="N x 1 x 1 x size x size uint8 (.npy; default: noise)")
    p.add_argument("--rounds", type=int, default=60)
    p.add_argument("--threads", type=int, default=1)
    args = p.parse_args()
    model = onnx.load(args.model)
    logits = logits_of(model)
    size = model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    cells = -(-size // 16)
    frames = (
        np.load(args.frames)
        if args.frames
        else np.random.default_rng(0).integers(0, 256, (4, 1, 1, size, size), np.uint8)
    )
    runners = {}
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, tail) in enumerate(tails(logits, cells, size).items()):
            path = Path(folder) / f"{index}.onnx"
            onnx.save(with_tail(model, logits, tail), path)
            runners[name] = compiled(path, args.threads)
        runners["NHWC input (PrePostProcessor)"] = compiled(Path(folder) / "0.onnx", args.threads, nhwc=True)
    rng = np.random.default_rng(0)
    names = list(runners)
    times = {name: np.zeros(args.rounds) for name in names}
    first = names[0]
    expected = [runners[first](frame).copy() for frame in frames]
    other = {}
    for name in names:
        got = [runners[name](frame).copy() for frame in frames]
        same_shape = got[0].shape == expected[0].shape and got[0].dtype == np.uint8
        other[name] = float(np.mean([(a != b).mean() for a, b in zip(got, expected)])) if same_shape else None
    for turn in range(args.rounds):
        for index in rng.permutation(len(names)):
            started = time.perf_counter()
            runners[names[index]](frames[turn % len(frames)])
            times[names[index]][turn] = (time.perf_counter() - started) * 1e3
    print(
        f"{args.model}: {size} px, {args.threads} threads, {args.rounds} rounds, OpenVINO "
        f"{openvino.__version__.split('-')[0]}"
    )
    print(f"{'tail':40} {'median':>8} {'min':>8} {'ratio':>6} {'pixels of another class':>24}")
    for name in names:
        ratio = np.median(times[name] / times[first])
        changed = "" if other[name] is None else f"{other[name] * 100:.4f} %"
        print(f"{name:40} {np.median(times[name]):8.2f} {times[name].min():8.2f} {ratio:6.3f} {changed:>24}")


if __name__ == "__main__":
    main()
