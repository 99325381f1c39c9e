"""ONNX Runtime: runs wherever its wheel does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.errors import BackendError, MissingExtraError
from edge.nets.backends.base import Array, Arrays, states_of

REFUSED_OPTIMIZERS = ["WeightBiasQuantization"]
"""It quantises, one scale a tensor, the weights of layers that the file keeps in float: PSPNet-MK then finds nothing at
all.
"""


class OnnxRuntimeBackend:
    """A graph in an ONNX Runtime session on the CPU provider."""

    name = "onnxruntime"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError("the ONNX Runtime backend", "onnxruntime") from error
        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Threads that spin while they wait would take the cores from the other network and from drawing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=REFUSED_OPTIMIZERS
            )
        except Exception as error:  # ONNX Runtime raises its own classes without a public base
            raise BackendError(
                f"ONNX Runtime {self.version} cannot load {path}: {str(error).splitlines()[0]}"
            ) from error
        self._names = [output.name for output in self._session.get_outputs()]
        self._shapes = {port.name: tuple(port.shape) for port in self._session.get_inputs()}
        self._states = states_of(self._shapes, self._names)
        self._memory: dict[str, Array] = {}
        self.reset()

    def infer(self, inputs: Arrays) -> Arrays:
        outputs: dict[str, Array] = dict(zip(self._names, self._session.run(None, {**self._memory, **inputs})))
        # What the session returned it does not write again: the arrays change hands, nothing is copied.
        self._memory = {name: outputs.pop(following) for name, following in self._states.items()}
        return outputs

    def reset(self) -> None:
        self._memory = {name: np.zeros(self._shapes[name], np.float32) for name in self._states}

    def close(self) -> None:
        del self._session
