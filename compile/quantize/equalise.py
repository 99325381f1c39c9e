"""Before a network is quantised: channels that share one range are given the same peak, and weights are rounded so that
what they add up to is kept. The first leaves the function as it was, the second as near to it as the grid allows
(`docs/compile.md`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from calib.feed import Feed
from compile.quantize.graph import readers_of, session_with

MOST = 64.0
"""The most that a channel is enlarged by: one that was never active has no peak."""


@dataclass(frozen=True)
class Channels:
    """One tensor over a feed: largest |x| and mean x of each channel, float64."""

    peak: NDArray[np.float64]
    mean: NDArray[np.float64]


def observe_channels(model: onnx.ModelProto, feed: Feed) -> dict[str, Channels]:
    """What the channels of each convolution's input take on. N x C x H x W tensors that the graph computes, by name."""
    computed = {value.name for value in model.graph.value_info}
    names = sorted({n.input[0] for n in model.graph.node if n.op_type == "Conv"} & computed)
    if not names:  # a session asked for no output gives all of them
        return {}
    session = session_with(model, names)
    rows = [[(np.abs(x).max((0, 2, 3)), x.mean((0, 2, 3))) for x in session.run(names, dict(run))] for run in feed]
    return {
        name: Channels(
            np.max([peak for peak, _ in column], axis=0).astype(np.float64),
            np.mean([mean for _, mean in column], axis=0, dtype=np.float64),
        )
        for name, column in zip(names, zip(*rows))
    }


def equalise(model: onnx.ModelProto, channels: dict[str, Channels]) -> dict[str, Channels]:
    """Enlarge the channels between two convolutions to one peak, in place, and make the second one's weights smaller by
    as much.

    256 levels are spread over the widest channel of a tensor: a narrow one would be left with few. Between the two may
    stand a Relu, or a Clip from 0 on, and nothing else may read the tensor. Behind a Clip no channel is enlarged beyond
    its bound, so what is cut off is what lies beyond the observed peak. (Nagel et al. 2019, Data-Free Quantization,
    equations 7-10, with observed peaks instead of those that batch norm predicts.) Returns what the channels take on
    now.
    """
    weights = _own_weights(model.graph)
    out = dict(channels)
    for first, second, bound in _pairs(model.graph, weights):
        name = second.input[0]
        if name not in channels:
            continue
        peak, mean = channels[name].peak, channels[name].mean
        widest = peak.max() if bound is None else bound
        scale = np.clip(widest / np.maximum(peak, 1e-12), 1.0, MOST)
        for own in first.input[1:3]:
            _multiply(weights[own], scale.reshape(-1, *[1] * (len(weights[own].dims) - 1)))
        _multiply(weights[second.input[1]], 1 / scale[_inputs_of(second, weights)][:, :, None, None])
        out[name] = Channels(peak * scale, mean * scale)
    return out


def round_weights(model: onnx.ModelProto, channels: dict[str, Channels], layers: Collection[str], levels: int) -> None:
    """Put the weights of the convolutions `layers` (node names) on the grid of -levels ... levels steps, in place.

    To the nearest step, errors of a filter's taps add up: on a plain surface, such as the black around a sector, they
    move the output by their sum. So of each filter of several taps as many are rounded the other way, those nearest to
    the middle between two steps first, as bring the sum within half a step. What is left, and a 1x1 convolution's
    errors, is taken off the bias as the mean input makes it (Nagel et al. 2019, equation 15).
    """
    weights = _own_weights(model.graph)
    for node in model.graph.node:
        if node.name not in layers or node.op_type != "Conv" or node.input[1] not in weights:
            continue
        exact = numpy_helper.to_array(weights[node.input[1]])
        step = np.abs(exact).max((1, 2, 3), keepdims=True) / levels
        steps = exact / np.where(step > 0, step, 1)
        rounded = (_rounded(steps.reshape(*steps.shape[:2], -1), levels).reshape(exact.shape) * step).astype(np.float32)
        _replace(weights[node.input[1]], rounded)
        if len(node.input) > 2 and node.input[2] in weights and node.input[0] in channels:
            mean = channels[node.input[0]].mean[_inputs_of(node, weights)]
            moved = ((rounded - exact).sum((2, 3), dtype=np.float64) * mean).sum(1)
            _replace(weights[node.input[2]], numpy_helper.to_array(weights[node.input[2]]) - moved)


def _rounded(steps: NDArray[np.floating], levels: int) -> NDArray[np.floating]:
    """... x taps in steps, to whole ones whose sum over the taps is within half a step of what it was."""
    nearest = np.rint(steps)
    error = nearest - steps
    excess = np.rint(error.sum(-1, keepdims=True)) if steps.shape[-1] > 1 else np.zeros_like(error)
    rank = np.argsort(np.argsort(-error * np.sign(excess), axis=-1), axis=-1)
    # the largest weights are what the grid is made from
    turned = (rank < np.abs(excess)) & (np.abs(nearest) < levels)
    return np.asarray(nearest - np.where(turned, np.sign(excess), 0), steps.dtype)


def _own_weights(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Constants that one node alone reads: those of unrolled steps are shared."""
    readers = readers_of(graph)
    return {tensor.name: tensor for tensor in graph.initializer if len(readers.get(tensor.name, ())) == 1}


def _pairs(
    graph: onnx.GraphProto, weights: dict[str, onnx.TensorProto]
) -> Iterator[tuple[onnx.NodeProto, onnx.NodeProto, float | None]]:
    """(convolution, the only one that reads it, upper bound of the Clip between them or None)."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    readers, outputs = readers_of(graph), {output.name for output in graph.output}

    def only_reader(node: onnx.NodeProto) -> onnx.NodeProto | None:
        found = readers.get(node.output[0], ())
        return found[0] if len(found) == 1 and node.output[0] not in outputs else None

    for first in graph.node:
        if first.op_type != "Conv" or any(name not in weights for name in first.input[1:]):
            continue
        second, bound = only_reader(first), None
        if second is not None and second.op_type == "Clip":
            limits = [float(numpy_helper.to_array(constants[n])) for n in second.input[1:] if n in constants]
            if len(limits) != 2 or limits[0] != 0:
                continue
            bound = limits[1]
        if second is not None and second.op_type in ("Relu", "Clip"):
            second = only_reader(second)
        if second is not None and second.op_type == "Conv" and second.input[1] in weights:
            yield first, second, bound


def _inputs_of(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> NDArray[np.int64]:
    """Which input channel each of a convolution's (output, input) kernels reads: outputs x inputs a group."""
    outputs, inputs = weights[node.input[1]].dims[:2]
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    first = np.arange(outputs) // (outputs // groups) * inputs
    return np.asarray(first[:, None] + np.arange(inputs), np.int64)


def _multiply(tensor: onnx.TensorProto, factor: NDArray[np.float64]) -> None:
    _replace(tensor, numpy_helper.to_array(tensor) * factor)


def _replace(tensor: onnx.TensorProto, values: NDArray[np.floating]) -> None:
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), tensor.name))
