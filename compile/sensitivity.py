"""Which calibration method, and which layers stay in float: decided on calibration frames, never on held-out ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from calib.feed import Inputs
from compile.apart import apart
from compile.precision import Quantizer
from compile.ranges import METHODS
from compile.score import disagreement, outputs_of

Progress = Callable[[int, int], None]


def compare_methods(
    quantizer: Quantizer,
    source: Path,
    runs: Sequence[Inputs],
    form: str,
    backend: str,
    methods: Sequence[str] = METHODS,
) -> dict[str, float]:
    """method -> disagreement with FP32 (see `compile.score.disagreement`) when the whole graph is quantised so.

    Raises BackendError for a file on which the engine fails or dies, as `rank_layers` does.
    """
    expected = apart(partial(outputs_of, source, backend, runs), source, backend)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for method in methods:
            path = Path(folder) / f"{method}.onnx"
            quantizer.write(path, form, method)
            found[method] = disagreement(apart(partial(outputs_of, path, backend, runs), path, backend), expected)
    return found


def rank_layers(
    quantizer: Quantizer,
    source: Path,
    runs: Sequence[Inputs],
    form: str,
    method: str,
    backend: str,
    progress: Progress = lambda done, total: None,
) -> dict[str, float]:
    """layer -> disagreement with FP32 when it alone is quantised, worst first."""
    expected = apart(partial(outputs_of, source, backend, runs), source, backend)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        for index, layer in enumerate(quantizer.layers):
            quantizer.write(path, form, method, only_nodes=[layer])
            found[layer] = disagreement(apart(partial(outputs_of, path, backend, runs), path, backend), expected)
            progress(index + 1, len(quantizer.layers))
    return dict(sorted(found.items(), key=lambda item: -item[1]))
