"""A model folder, opened: a network that is called on frames."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.errors import BackendError, MissingExtraError, ModelError
from edge.nets.artefacts import QUALITY, SEGMENTATION, choose, tasks_of, usable
from edge.nets.backends import TENSORRT, Arrays, Backend, open_backend
from edge.nets.backends.trt import Gpu, TensorRtBackend, find_gpu
from edge.nets.engines import EngineBuild, Engines, sort_engines
from edge.nets.manifest import (
    MIRRORED_OUTPUT,
    UPSIDE_DOWN_OUTPUT,
    VIEW_OUTPUT,
    Manifest,
    check_engine,
    find_manifests,
    verified_artefact,
)
from edge.postprocess import clean_mask, mask_on_frame
from edge.preprocess import Box, Frame, as_frame, preprocess
from edge.screen.sector import Sector, find_sector

log = logging.getLogger(__name__)

M = TypeVar("M", bound="_Model")
WARM_RUNS = 2
"""Runs before an engine takes over: it allocates in the first and captures its CUDA graph in the second."""


class _Model:
    """A verified artefact, loaded. `input` is its own buffer, 1 x 1 x size x size; `building` an engine that will take
    over.
    """

    building: EngineBuild | None = None

    def __init__(self, manifest: Manifest, backend: Backend) -> None:
        self._successor: tuple[Manifest, Backend] | None = None
        self._install(manifest, backend)
        self.infer()  # the first run allocates
        self.reset()

    def _install(self, manifest: Manifest, backend: Backend) -> None:
        self.manifest, self.backend = manifest, backend
        size = manifest.preprocess.size_px
        self.input = np.zeros((1, 1, size, size), np.uint8)
        self._feed = {manifest.inputs[0].name: self.input}
        self._output = manifest.outputs[0].name
        self._outputs: Arrays = {}

    def succeed(self, manifest: Manifest, backend: Backend) -> None:
        """Have another artefact of the same model take over before the next frame; any thread may call this."""
        port = manifest.inputs[0]
        for _ in range(WARM_RUNS):
            backend.infer({port.name: np.zeros(port.shape, np.uint8)})
        if manifest.states:
            backend.reset()
        self._successor = (manifest, backend)

    def prepare(self, frame: Frame, box: Box) -> None:
        """Crop and resize a frame into the input buffer."""
        if self._successor is not None:
            predecessor = self.backend
            self._install(*self._successor)
            self._successor = None
            predecessor.close()
            log.warning("%s %s has taken over", self.manifest.name, self.manifest.file)
        preprocess(frame, box, self.manifest.preprocess, self.input)

    def infer(self) -> NDArray[Any]:
        """Run the network on the input buffer; the result is overwritten by the next call."""
        self._outputs = self.backend.infer(self._feed)
        return np.asarray(self._outputs[self._output][0])

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The size x size uint8 input that `prepare` filled."""
        picture: NDArray[np.uint8] = self.input[0, 0]
        return picture

    def reset(self) -> None:
        """Forget the frames before, where the network remembers any."""
        if self.manifest.states:
            self.backend.reset()

    def __enter__(self: M) -> M:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the engine; end the build of another."""
        if self.building is not None:
            self.building.stop()
        for backend in (self.backend, *(self._successor or ())[1:]):
            backend.close()


class Segmenter(_Model):
    """Frame to mask. `sector` is found anew in each frame unless it is given: give it for the frames of one recording.

    A recurrent network remembers the frames before: `reset` makes it forget them where another recording begins.
    """

    def __call__(self, frame: Frame, sector: Sector | None = None) -> NDArray[np.uint8]:
        """HxW or HxWx3 RGB uint8 to HxW uint8: 0 background, 1 LV, 2 myocardium, 3 left atrium.

        Without `sector` the frame stands for itself: a recurrent network starts afresh. ValueError for an array that is
        no frame (see `edge.preprocess.as_frame`).
        """
        frame = as_frame(frame)
        if sector is None:
            self.reset()
        box = (sector or find_sector([frame])).box
        self.prepare(frame, box)
        return mask_on_frame(clean_mask(np.asarray(self.infer(), np.uint8)), box, frame.shape[:2])

    @property
    def view_probabilities(self) -> NDArray[np.float32] | None:
        """Of the frame last inferred: 3 float32 in the order of `edge.heart.view.VIEWS`, None where the network knows
        no views.
        """
        return np.array(self._outputs[VIEW_OUTPUT][0], np.float32) if VIEW_OUTPUT in self._outputs else None


class QualityScorer(_Model):
    """Frame to eight scores, in the order of `edge.heart.regions.REGIONS`."""

    def __call__(self, frame: Frame, sector: Sector | None = None) -> NDArray[np.float32]:
        """HxW or HxWx3 RGB uint8 to 8 float32: 1 not visible, 2 poor, 3 ok, 4 good, 5 excellent."""
        frame = as_frame(frame)
        self.prepare(frame, (sector or find_sector([frame])).box)
        return np.array(self.infer(), np.float32)

    @property
    def plane_probabilities(self) -> tuple[NDArray[np.float32], float, float] | None:
        """Of the frame last inferred: 9 float32 in the order of `edge.heart.plane.PLANES`, that it is mirrored, that it
        is upside down; None where the network does not say.
        """
        if VIEW_OUTPUT not in self._outputs:
            return None
        turns = (float(self._outputs[name].ravel()[0]) for name in (MIRRORED_OUTPUT, UPSIDE_DOWN_OUTPUT))
        return np.array(self._outputs[VIEW_OUTPUT][0], np.float32), *turns  # type: ignore[return-value]


TASKS: dict[str, type[Segmenter] | type[QualityScorer]] = {SEGMENTATION: Segmenter, QUALITY: QualityScorer}


def open_segmenter(
    folder: str | Path,
    precision: str = "auto",
    backend: str = "auto",
    threads: int | None = None,
    allow_failed_gate: bool = False,
    builds_engine: bool = False,
) -> Segmenter:
    """Load a model by its name, such as `pspnet-mk`, or its folder.

    precision: "auto" or "int8", "fp16", "fp32". backend: "auto", "openvino", "onnxruntime" or "tensorrt". "auto" takes
    an engine built for this GPU, else the first of int8, fp16, fp32 that the folder has for the CPU; what failed a gate
    is left out. threads: of a CPU, None for all cores. builds_engine: where a GPU has no engine yet, or one of an older
    file, build it in a process of its own, run the old engine or the CPU meanwhile, and change over between two frames;
    not in a folder that may not be written, such as an installed release's, whose engines `echoedge first-boot` builds.
    Raises ModelError for a folder, manifest or file that must not be loaded, BackendError where nothing runs it.
    """
    return _opened(Segmenter, SEGMENTATION, folder, precision, backend, threads, allow_failed_gate, builds_engine)


def open_scorer(
    folder: str | Path,
    precision: str = "auto",
    backend: str = "auto",
    threads: int | None = None,
    allow_failed_gate: bool = False,
    builds_engine: bool = False,
) -> QualityScorer:
    """Load a model by its name, such as `quality`, or its folder; arguments and errors as `open_segmenter`'s."""
    return _opened(QualityScorer, QUALITY, folder, precision, backend, threads, allow_failed_gate, builds_engine)


def open_model(
    folder: str | Path,
    precision: str = "auto",
    backend: str = "auto",
    threads: int | None = None,
    allow_failed_gate: bool = False,
    builds_engine: bool = False,
) -> Segmenter | QualityScorer:
    """Load a model of either task, for what treats both alike; arguments and errors as `open_segmenter`'s."""
    tasks = tasks_of(find_manifests(folder))
    if len(tasks) != 1 or tasks[0] not in TASKS:
        raise ModelError(f"{folder} is for {', '.join(tasks)}; give a folder for one of {', '.join(TASKS)}")
    opener = open_segmenter if tasks[0] == SEGMENTATION else open_scorer
    return opener(folder, precision, backend, threads, allow_failed_gate, builds_engine)


def _opened(
    kind: Callable[[Manifest, Backend], M],
    task: str,
    named: str | Path,
    precision: str,
    backend: str,
    threads: int | None,
    allow_failed_gate: bool,
    builds_engine: bool,
) -> M:
    found = find_manifests(named)
    folder = found[0][1].parent
    if task not in tasks_of(found):
        raise ModelError(f"{folder} is for {', '.join(tasks_of(found))}; give a folder for {task}")
    gpu = _gpu(backend)
    engines = sort_engines(found, task, gpu, precision, allow_failed_gate) if gpu else Engines((), (), ())
    if engines.current:
        return kind(engines.current[0][0], open_artefact(*engines.current[0]))
    may_build = gpu is not None and builds_engine and os.access(folder, os.W_OK)
    to_build = usable(found, task, precision, "tensorrt", allow_failed_gate) if may_build else []
    if to_build and engines.old:
        chosen = engines.old[0]
        model = kind(chosen[0], open_artefact(*chosen))
    elif backend == TENSORRT:
        raise ModelError(
            "; ".join(engines.refusals) or f"{folder} has no engine to use; build one with `echoedge engine {folder}`"
        )
    else:
        chosen = choose(found, task, precision, "cpu", allow_failed_gate)
        model = kind(chosen[0], open_artefact(*chosen, backend, threads))
    for refusal in engines.refusals:
        log.warning("%s", refusal)
    if gpu and to_build:
        _build_meanwhile(model, folder, to_build[0][0].precision, gpu, allow_failed_gate)
    return model


def _build_meanwhile(model: _Model, folder: Path, precision: str, gpu: Gpu, allow_failed_gate: bool) -> None:
    """Have the engine built that takes over from what the model runs now."""
    task, running = model.manifest.task, model.manifest.file
    log.warning("an engine is being built from the %s file of %s; until then %s runs", precision, folder, running)

    def change_over() -> None:
        fresh = sort_engines(find_manifests(folder), task, gpu, precision, allow_failed_gate).current
        if not fresh:
            raise ModelError(f"`echoedge engine {folder}` built no engine that fits this GPU")
        model.succeed(fresh[0][0], open_artefact(*fresh[0]))

    model.building = EngineBuild(folder, precision, next(iter(gpu.versions)), change_over)


def _gpu(backend: str) -> Gpu | None:
    """The GPU to run engines on. Raises BackendError where `backend` asks for one and there is none."""
    if backend not in ("auto", TENSORRT):
        return None
    try:
        return find_gpu()
    except BackendError as error:
        if backend == TENSORRT:
            raise
        log.debug("no engine is used: %s", error)
    except MissingExtraError as error:
        log.debug("no engine is used: %s", error)
    return None


def load_model(
    manifest: Manifest, path: Path, backend: str = "auto", threads: int | None = None
) -> Segmenter | QualityScorer:
    """Load the artefact that the manifest at `path` describes, whatever its gates say.

    Raises ModelError for an engine of another GPU or release.
    """
    if manifest.task not in TASKS:
        raise ModelError(f"{path} is for {manifest.task}; this version knows {', '.join(TASKS)}")
    return TASKS[manifest.task](manifest, open_artefact(manifest, path, backend, threads))


def open_artefact(manifest: Manifest, path: Path, backend: str = "auto", threads: int | None = None) -> Backend:
    """The engine of the artefact that the manifest at `path` describes, whatever its gates say.

    Raises ModelError for a file that was changed, and for an engine of another GPU or release.
    """
    artefact = verified_artefact(manifest, path)
    if manifest.engine is None:
        return open_backend(artefact, backend, threads)
    gpu = find_gpu()
    check_engine(manifest, gpu.versions.get(manifest.engine.library, ""), gpu.compute_capability)
    return TensorRtBackend(artefact, manifest.engine.library)
