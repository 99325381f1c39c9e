"""TensorRT engines, as `compile` builds them: `tensorrt` 8.6, 10 and 11 and `tensorrt_rtx`; only what all have is
called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edge.errors import BackendError, MissingExtraError
from edge.nets.backends.base import Array, Arrays, states_of
from edge.nets.backends.cuda import Buffer, Cuda, open_cuda

LIBRARIES = ("tensorrt", "tensorrt_rtx")


@dataclass(frozen=True)
class Gpu:
    """What engines are tied to: compute capability (87 for 8.7) and library -> installed release."""

    compute_capability: int
    versions: dict[str, str]


def open_library(name: str) -> ModuleType:
    """Import `tensorrt` or `tensorrt_rtx`. Raises MissingExtraError or BackendError with how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if name == "tensorrt_rtx":
            raise MissingExtraError("TensorRT for RTX", "rtx") from error
        raise BackendError(
            f"TensorRT cannot be imported ({error}); on a Jetson it comes with JetPack: use an environment made with "
            "`python3 -m venv --system-site-packages`, or run without one"
        ) from error


def find_gpu() -> Gpu:
    """This machine's GPU and what runs engines on it. Raises BackendError where there is no library or no GPU."""
    names = [name for name in LIBRARIES if find_spec(name)]
    if not names:
        open_library("tensorrt")
    device = open_cuda()
    try:
        return Gpu(device.compute_capability, {name: str(open_library(name).__version__) for name in names})
    finally:
        device.close()


class TensorRtBackend:
    """One engine with fixed shapes, its own stream and buffers; after the first run a CUDA graph replays it.

    States stay on the device: two buffers each, one read and one written, which change places from frame to frame. So
    there are two graphs, one for each way round.

    Everything CUDA happens on one thread that the backend owns, so that `infer` may be called from any.
    """

    def __init__(self, path: Path, library: str = "tensorrt", cuda: Callable[[], Cuda] | None = None) -> None:
        self.name = library
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tensorrt")
        self.version = str(self._thread.submit(self._open, path, open_library(library), cuda or open_cuda).result())

    def infer(self, inputs: Arrays) -> Arrays:
        """Run once; outputs are views of host memory that the next call overwrites."""
        outputs: dict[str, Array] = self._thread.submit(self._infer, inputs).result()
        return outputs

    def reset(self) -> None:
        """Zero the states."""
        self._thread.submit(self._zero_states).result()

    def close(self) -> None:
        """Free the GPU's memory; no call may follow."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _open(self, path: Path, trt: Any, cuda: Callable[[], Cuda]) -> str:
        self._cuda = cuda()
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise BackendError(
                f"TensorRT {trt.__version__} refuses {path}: engines run only on the GPU model and TensorRT "
                "version that built them; build it here with `echoedge engine`"
            )
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise BackendError(f"TensorRT has no memory left for {path}; stop other GPU programs")
        self._stream = self._cuda.stream()
        self._graphs: list[Any] = [None, None]
        self._warm = False
        self._turn = 0
        self._inputs: dict[str, tuple[Array, Buffer]] = {}
        self._outputs: dict[str, tuple[Array, Buffer]] = {}
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            shape = tuple(self._engine.get_tensor_shape(name))
            if min(shape, default=1) < 1:
                raise BackendError(f"{path}: '{name}' has the shape {shape}; build the engine with fixed shapes")
            dtype = np.dtype(trt.nptype(self._engine.get_tensor_dtype(name)))
            buffer = self._cuda.buffer(int(np.prod(shape)) * dtype.itemsize)
            is_input = self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            (self._inputs if is_input else self._outputs)[name] = (buffer.host.view(dtype).reshape(shape), buffer)
            if not self._context.set_tensor_address(name, buffer.device):
                raise BackendError(f"{path}: TensorRT takes no address for '{name}'")
        self._states = states_of(self._inputs, self._outputs)
        read = {name: self._inputs.pop(name)[1] for name in self._states}
        written = {name: self._outputs.pop(following)[1] for name, following in self._states.items()}
        self._banks = (read, written)
        self._zero_states()
        return str(trt.__version__)

    def _zero_states(self) -> None:
        for buffer in self._banks[self._turn].values():
            buffer.host[:] = 0
            self._cuda.to_device(buffer, self._stream)

    def _infer(self, inputs: Arrays) -> dict[str, Array]:
        for name, (host, _) in self._inputs.items():
            if inputs[name].shape != host.shape or inputs[name].dtype != host.dtype:
                raise BackendError(
                    f"'{name}' is {inputs[name].dtype} {inputs[name].shape}; the engine takes {host.dtype} {host.shape}"
                )
            np.copyto(host, inputs[name])
        if self._graphs[self._turn] is not None:
            self._cuda.launch(self._graphs[self._turn], self._stream)
        else:
            # TensorRT allocates during the first run, which a capture does not allow: the second is captured.
            capture = self._warm and self._cuda.has_graphs
            if capture:
                self._cuda.begin_capture(self._stream)
            self._enqueue()
            if capture:
                self._graphs[self._turn] = self._cuda.end_capture(self._stream)
                self._cuda.launch(self._graphs[self._turn], self._stream)
            self._warm = True
        self._cuda.synchronize(self._stream)
        if self._states:
            self._turn = 1 - self._turn
        return {name: host for name, (host, _) in self._outputs.items()}

    def _enqueue(self) -> None:
        for name, following in self._states.items():
            self._context.set_tensor_address(name, self._banks[self._turn][name].device)
            self._context.set_tensor_address(following, self._banks[1 - self._turn][name].device)
        for _, buffer in self._inputs.values():
            self._cuda.to_device(buffer, self._stream)
        if not self._context.execute_async_v3(self._stream):
            raise BackendError("TensorRT did not take the inference; its log names the reason")
        for _, buffer in self._outputs.values():
            self._cuda.to_host(buffer, self._stream)

    def _close(self) -> None:
        self._cuda.synchronize(self._stream)
        self._graphs, self._context, self._engine, self._runtime = [None, None], None, None, None
        self._cuda.close()
