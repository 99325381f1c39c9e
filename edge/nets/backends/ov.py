"""OpenVINO: the default on CPUs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from edge.errors import BackendError, MissingExtraError
from edge.nets.backends.base import Arrays, states_of


@cache
def openvino_core() -> Any:
    """The one Core of the process, never closed.

    The CPU plugin gives the thread that loads it a signal stack. Two plugins that are not closed in reverse order leave
    a freed one behind, and the next signal with a Python handler ends the process (OpenVINO 2026.4.1). Raises
    MissingExtraError without OpenVINO.
    """
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise MissingExtraError("the OpenVINO backend", "openvino") from error
    return openvino.Core()


class OpenVinoBackend:
    """A graph compiled for the CPU, one frame at a time, computed in the precision that its file states."""

    name = "openvino"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        core = openvino_core()
        import openvino

        self.version = openvino.__version__.split("-")[0]
        # Without the hint OpenVINO computes FP32 files in bfloat16 on CPUs that have it.
        settings: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads:
            # Pinned, every engine with fewer threads than cores would compute on the same first ones.
            settings |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        try:
            model = core.read_model(path)
            compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise BackendError(
                f"OpenVINO {self.version} cannot load {path}: {str(error).splitlines()[-1]}; try --backend onnxruntime"
            ) from error
        self._request = compiled.create_infer_request()
        # The file's own names: ports of a compiled graph also bear those of casts that were folded away.
        ports = {port.get_any_name(): port for port in model.inputs}
        names = [port.get_any_name() for port in model.outputs]
        self._states = states_of(ports, names)
        self._outputs = [(n, index) for index, n in enumerate(names) if n not in self._states.values()]
        # Two tensors a state: one is read while the other is written, then they change places.
        self._banks = [
            {name: openvino.Tensor(openvino.Type.f32, ports[name].shape) for name in self._states} for _ in range(2)
        ]
        self.reset()

    def infer(self, inputs: Arrays) -> Arrays:
        if self._states:
            read, written = self._banks
            for name, following in self._states.items():
                self._request.set_tensor(name, read[name])
                self._request.set_tensor(following, written[name])
            self._banks.reverse()
        self._request.infer(dict(inputs), share_inputs=True, share_outputs=True)
        return {name: self._request.get_output_tensor(index).data for name, index in self._outputs}

    def reset(self) -> None:
        for tensor in self._banks[0].values():
            tensor.data[:] = 0

    def close(self) -> None:
        del self._request
