"""Which calibration method, and which layers stay in float: decided on calibration frames, never on held-out ones."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from calib.feed import Inputs
from compile.apart import apart
from compile.graphs import Files, files_of, outputs_of
from compile.outcome import Layer
from compile.quantize.model import ModelQuantizer
from compile.quantize.ranges import METHODS
from compile.score import disagreement

Progress = Callable[[int, int], None]


def compare_methods(
    quantizer: ModelQuantizer, form: str, backend: str, methods: Sequence[str] = METHODS
) -> dict[str, float]:
    """method -> disagreement with FP32 (see `compile.score.disagreement`) when the whole model is quantised so.

    Raises BackendError for a file on which the engine fails or dies, as `rank_layers` does.
    """
    expected = _outputs(quantizer, files_of(quantizer.references), backend, quantizer.probes)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for method in methods:
            files = {task: Path(folder) / f"{task}-{method}.onnx" for task in quantizer.references}
            quantizer.write(files, form, method)
            found[method] = disagreement(_outputs(quantizer, files, backend, quantizer.probes), expected)
    return found


def rank_layers(
    quantizer: ModelQuantizer, form: str, method: str, backend: str, progress: Progress = lambda done, total: None
) -> dict[Layer, float]:
    """layer -> disagreement with FP32 when it alone is quantised, worst first; on every other probe."""
    wide, runs = files_of(quantizer.references), quantizer.probes[::2]
    expected = _outputs(quantizer, wide, backend, runs)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        for index, (task, name) in enumerate(quantizer.layers):
            quantizer.graphs[task].write(path, form, method, only_nodes=[name])
            answers = _outputs(quantizer, {**wide, task: path}, backend, runs, path)
            found[task, name] = disagreement(answers, expected)
            progress(index + 1, len(quantizer.layers))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _outputs(
    quantizer: ModelQuantizer, files: Files, backend: str, runs: Sequence[Inputs], tried: Path | None = None
) -> list[NDArray[Any]]:
    """In another process, which names `tried`, the last of the files unless it is given, where it fails."""
    job = partial(outputs_of, quantizer.references, dict(files), backend, runs)
    return apart(job, tried or list(files.values())[-1], backend)
