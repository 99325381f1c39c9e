"""Three lines of Python: open a model folder, call it on frames."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.backends import Backend, open_backend
from edge.errors import ModelError
from edge.manifest import Manifest, find_manifests, verified_artefact
from edge.postprocess import clean_mask, mask_on_frame
from edge.preprocess import Box, Frame, preprocess
from edge.sector import Sector, find_sector

M = TypeVar("M", bound="_Model")
PREFERRED = ("int8", "fp16", "fp32")


class _Model:
    """A verified artefact, loaded, with its own input buffer."""

    def __init__(self, manifest: Manifest, backend: Backend) -> None:
        self.manifest, self.backend = manifest, backend
        size = manifest.preprocess.size_px
        self._input = np.zeros((1, 1, size, size), np.uint8)
        self._feed = {manifest.inputs[0].name: self._input}
        self._output = manifest.outputs[0].name
        self.infer()  # the first run allocates

    def prepare(self, frame: Frame, box: Box) -> None:
        """Crop and resize a frame into the input buffer."""
        preprocess(frame, box, self.manifest.preprocess, self._input)

    def infer(self) -> NDArray[Any]:
        """Run the network on the input buffer; the result is overwritten by the next call."""
        return np.asarray(self.backend.infer(self._feed)[self._output][0])

    def __enter__(self: M) -> M:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the engine."""
        del self.backend


class Segmenter(_Model):
    """Frame to mask. `sector` is found anew in each frame unless it is given: give it for the frames of one recording."""

    def __call__(self, frame: Frame, sector: Sector | None = None) -> NDArray[np.uint8]:
        """HxW or HxWx3 RGB uint8 to HxW uint8: 0 background, 1 LV, 2 myocardium, 3 left atrium."""
        box = (sector or find_sector([frame])).box
        self.prepare(frame, box)
        return mask_on_frame(clean_mask(np.asarray(self.infer(), np.uint8)), box, frame.shape[:2])


class QualityScorer(_Model):
    """Frame to eight scores, in the order of `edge.regions.REGIONS`."""

    def __call__(self, frame: Frame, sector: Sector | None = None) -> NDArray[np.float32]:
        """HxW or HxWx3 RGB uint8 to 8 float32: 1 not visible, 2 poor, 3 ok, 4 good, 5 excellent."""
        self.prepare(frame, (sector or find_sector([frame])).box)
        return np.array(self.infer(), np.float32)


TASKS: dict[str, type[Segmenter] | type[QualityScorer]] = {"segmentation": Segmenter, "quality": QualityScorer}


def open_model(
    folder: str | Path,
    precision: str = "auto",
    backend: str = "auto",
    threads: int | None = None,
    allow_failed_gate: bool = False,
) -> Segmenter | QualityScorer:
    """Load a model folder such as `models/pspnet-mk`.

    precision: "auto" (the first of int8, fp16, fp32 that the folder has for this machine and that failed no gate), or
    one of these. backend: "auto", "openvino" or "onnxruntime". threads: None for all cores.
    Raises ModelError for a folder, manifest or file that must not be loaded, BackendError where no engine runs it.
    """
    # An engine that was compiled for this GPU goes before the ONNX file of the same precision.
    targets = ["any", "cpu"] + (["engine"] if backend == "auto" and find_spec("tensorrt") else [])
    fitting = [(m, p) for m, p in find_manifests(Path(folder)) if m.target in targets]
    manifests = {m.precision: (m, p) for m, p in sorted(fitting, key=lambda pair: targets.index(pair[0].target))}
    usable = [p for p in PREFERRED if p in manifests and (allow_failed_gate or not manifests[p][0].gates.failures())]
    chosen = next((p for p in [*usable, *PREFERRED] if p in manifests), "") if precision == "auto" else precision
    if chosen not in manifests:
        raise ModelError(
            f"{folder} has no {precision} file for this machine; it has {', '.join(sorted(manifests)) or 'none'}"
        )
    manifest, path = manifests[chosen]
    if chosen not in usable:
        raise ModelError(
            f"{path.with_name(manifest.file)} failed a gate: {'; '.join(manifest.gates.failures())}. "
            "Use another --precision, compile it again, or load it all the same with --allow-failed-gate"
        )
    return load_model(manifest, path, backend, threads)


def load_model(
    manifest: Manifest, path: Path, backend: str = "auto", threads: int | None = None
) -> Segmenter | QualityScorer:
    """Load the artefact that the manifest at `path` describes, whatever its gates say: what measures them calls this."""
    if manifest.task not in TASKS:
        raise ModelError(f"{path} is for '{manifest.task}'; this version knows {', '.join(TASKS)}")
    loaded = open_backend(verified_artefact(manifest, path), backend, threads)
    return TASKS[manifest.task](manifest, loaded)
