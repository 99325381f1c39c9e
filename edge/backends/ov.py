"""OpenVINO: the default on CPUs."""

from __future__ import annotations

from pathlib import Path

from edge.backends.base import Arrays
from edge.errors import BackendError, MissingExtraError


class OpenVinoBackend:
    """A graph compiled for the CPU, one frame at a time, computed in the precision that its file states."""

    name = "openvino"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError("the OpenVINO backend", "openvino") from error
        self.version = openvino.__version__.split("-")[0]
        # Without the hint OpenVINO computes FP32 files in bfloat16 on CPUs that have it.
        settings: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            compiled = openvino.Core().compile_model(path, "CPU", settings)
        except RuntimeError as error:
            raise BackendError(
                f"OpenVINO {self.version} cannot load {path}: {str(error).splitlines()[-1]}; try --backend onnxruntime"
            ) from error
        self._request = compiled.create_infer_request()
        self._outputs = [(port.get_any_name(), index) for index, port in enumerate(compiled.outputs)]

    def infer(self, inputs: Arrays) -> Arrays:
        self._request.infer(dict(inputs), share_inputs=True, share_outputs=True)
        return {name: self._request.get_output_tensor(index).data for name, index in self._outputs}

    def close(self) -> None:
        del self._request
