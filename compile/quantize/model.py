"""A model's graphs, quantised as one: which layers, from which observations, written together."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from calib.choose import CalibrationSet
from calib.feed import Feed, Inputs, spread
from compile.graphs import Graphs, files_of, is_refiner
from compile.outcome import Layer
from compile.quantize.graph import readers_of
from compile.quantize.precision import Quantizer

PROBES = 16
"""Calibration frames on which methods and layers are compared."""


@dataclass(frozen=True, kw_only=True)
class ModelQuantizer:
    """The FP32 graphs, the set they are calibrated on, and the runs of each graph over it."""

    references: Graphs
    chosen: CalibrationSet
    feeds: Mapping[str, Feed]

    @functools.cached_property
    def graphs(self) -> dict[str, Quantizer]:
        """Task -> its graph, observed over its feed: minutes for a large set."""
        return {task: Quantizer(file, self.feeds[task]) for task, file in files_of(self.references).items()}

    @functools.cached_property
    def layers(self) -> list[Layer]:
        """The layers that become integers, in the graphs' order: all, or a refining model's inner convolutions."""
        return [(task, name) for task in self.references for name in self._wanted(task) or self.graphs[task].layers]

    @functools.cached_property
    def probes(self) -> list[Inputs]:
        """Runs of the first graph on which methods and layers are compared."""
        return spread(self.feeds[next(iter(self.references))], PROBES)

    def write(self, files: Mapping[str, Path], form: str, method: str, in_float: Collection[Layer] = ()) -> None:
        """Write every graph in INT8 to the file of its task; see `Quantizer.write`."""
        for task, file in files.items():
            kept = [name for other, name in in_float if other == task]
            self.graphs[task].write(file, form, method, kept, self._wanted(task))

    def _wanted(self, task: str) -> list[str]:
        """The layers to which a graph's integers are confined, empty where they are not."""
        return inner_convolutions(self.graphs[task].model.graph) if is_refiner(self.references) else []


def inner_convolutions(graph: onnx.GraphProto) -> list[str]:
    """Names of a graph's convolutions, without those that an output or a probability is read from.

    GroupNorm, attention, time embedding and the last convolution of each step stay in float.
    """
    readers = readers_of(graph)
    outputs = {value.name for value in graph.output}
    unfold = ("Reshape", "DepthToSpace", "Transpose")
    return [
        node.name
        for node in graph.node
        if node.op_type == "Conv"
        and node.output[0] not in outputs
        and not any(
            reader.op_type in unfold and _unfolds(reader, readers) for reader in readers.get(node.output[0], ())
        )
    ]


def _unfolds(node: onnx.NodeProto, readers: Mapping[str, list[onnx.NodeProto]]) -> bool:
    """Whether a node begins a pixel shuffle, which stands behind every last convolution."""
    if node.op_type == "DepthToSpace":
        return True
    return any(reader.op_type == "DepthToSpace" for reader in readers.get(node.output[0], ()))
