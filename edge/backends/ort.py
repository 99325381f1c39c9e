"""ONNX Runtime: runs wherever its wheel does."""

from __future__ import annotations

from pathlib import Path

from edge.backends.base import Arrays
from edge.errors import BackendError, MissingExtraError


class OnnxRuntimeBackend:
    """A graph in an ONNX Runtime session on the CPU provider."""

    name = "onnxruntime"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("the ONNX Runtime backend", "onnxruntime") from error
        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Threads that spin while they wait would take the cores from the other network and from drawing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises its own classes without a public base
            raise BackendError(
                f"ONNX Runtime {self.version} cannot load {path}: {str(error).splitlines()[0]}"
            ) from error
        self._names = [output.name for output in self._session.get_outputs()]

    def infer(self, inputs: Arrays) -> Arrays:
        return dict(zip(self._names, self._session.run(None, dict(inputs))))

    def close(self) -> None:
        del self._session
