"""Which calibration method, and which layers stay in float: decided on calibration frames, never on held-out ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from calib.feed import Inputs
from compile.precision import Quantizer
from compile.ranges import METHODS
from compile.score import disagreement, outputs_of
from edge.backends import open_backend

Progress = Callable[[int, int], None]


def compare_methods(
    quantizer: Quantizer,
    source: Path,
    runs: Sequence[Inputs],
    form: str,
    backend: str,
    methods: Sequence[str] = METHODS,
) -> dict[str, float]:
    """method -> disagreement with FP32 (see `compile.score.disagreement`) when the whole graph is quantised so."""
    expected = outputs_of(open_backend(source, backend), runs)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for method in methods:
            path = Path(folder) / f"{method}.onnx"
            quantizer.write(path, form, method)
            found[method] = disagreement(outputs_of(open_backend(path, backend), runs), expected)
    return found


def rank_layers(
    quantizer: Quantizer, source: Path, runs: Sequence[Inputs], form: str, method: str, backend: str,
    progress: Progress = lambda done, total: None,
) -> dict[str, float]:  # fmt: skip
    """layer -> disagreement with FP32 when it alone is quantised, worst first."""
    expected = outputs_of(open_backend(source, backend), runs)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        for index, layer in enumerate(quantizer.layers):
            quantizer.write(path, form, method, only_nodes=[layer])
            found[layer] = disagreement(outputs_of(open_backend(path, backend), runs), expected)
            progress(index + 1, len(quantizer.layers))
    return dict(sorted(found.items(), key=lambda item: -item[1]))
