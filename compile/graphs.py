"""A model as it is compiled: one network, or a refining model's two graphs, which are judged and installed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.feed import Inputs
from edge.errors import ModelError
from edge.nets.artefacts import DENOISER, ENCODER, QUALITY, SEGMENTATION, Found, choose, tasks_of
from edge.nets.backends import open_backend
from edge.nets.manifest import find_manifests
from edge.refine.refiner import Refiner, load_refiner

Graphs = Mapping[str, Found]
"""Task -> the artefact of one graph. All graphs of a model, at one precision."""
Files = Mapping[str, Path]
"""Task -> an ONNX file that has no manifest yet."""
KINDS = ((SEGMENTATION,), (QUALITY,), (ENCODER, DENOISER))
"""The tasks of a whole model."""


def references_of(folder: Path) -> dict[str, Found]:
    """The FP32 files that a folder's others are made from.

    Raises ModelError where one is missing, or where the folder holds no model or more than one.
    """
    found = find_manifests(folder)
    kinds = [kind for kind in KINDS if set(kind) & set(tasks_of(found))]
    if len(kinds) != 1:
        raise ModelError(
            f"{folder} is for {', '.join(tasks_of(found))}; give the folder of one model: "
            f"{', '.join(' with '.join(kind) for kind in KINDS)}"
        )
    return {task: choose(found, task, "fp32", "any", allow_failed_gate=True) for task in kinds[0]}


def file_of(artefact: Found) -> Path:
    """The file that a manifest describes."""
    manifest, path = artefact
    return path.with_name(manifest.file)


def files_of(graphs: Graphs) -> dict[str, Path]:
    """Task -> file."""
    return {task: file_of(artefact) for task, artefact in graphs.items()}


def is_refiner(graphs: Graphs) -> bool:
    """Whether the graphs are those of a refining model."""
    return ENCODER in graphs


def outputs_of(references: Graphs, files: Files, backend: str, runs: Iterable[Inputs]) -> list[NDArray[np.generic]]:
    """What a model's files answer to each run of its first graph, copied.

    A network's first output; of a refining model, one sample's probabilities. `references` name the graphs' ports.
    """
    if is_refiner(references):
        encoder, denoiser = ((references[task][0], open_backend(files[task], backend)) for task in (ENCODER, DENOISER))
        with Refiner(encoder, denoiser) as refiner:
            return [refiner.infer(run[refiner.encoder_manifest.inputs[0].name], 1) for run in runs]
    (file,) = files.values()
    with closing(open_backend(file, backend)) as opened:
        return [np.array(next(iter(opened.infer(dict(run)).values()))) for run in runs]


def example_inputs(references: Graphs, backend: str, threads: int | None = None) -> dict[str, dict[str, NDArray[Any]]]:
    """Task -> inputs of one run: a random frame, and of a denoiser the conditions and noise that go with it."""
    manifest, _ = next(iter(references.values()))
    port = manifest.inputs[0]
    frame = np.random.default_rng(0).integers(0, 256, port.shape, np.uint8)
    inputs: dict[str, dict[str, NDArray[Any]]] = {manifest.task: {port.name: frame}}
    if is_refiner(references):
        with load_refiner(references[ENCODER], references[DENOISER], backend, threads) as refiner:
            inputs[DENOISER] = dict(refiner.denoiser_inputs(frame, refiner.encode(frame), 0, 0))
    return inputs
