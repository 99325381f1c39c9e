"""A TensorRT and a CUDA that compute with ONNX Runtime: the same calls in the same order, checked as the real ones
check.
"""

from __future__ import annotations

import sys
import threading
from importlib.machinery import ModuleSpec
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edge.nets.backends.cuda import Buffer

DTYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(int32)": np.int32}


class FakeCuda:
    """Device memory is host memory at another address; work is queued and runs at `synchronize`."""

    name, has_graphs, compute_capability = "double", True, 87

    def __init__(self, integrated: bool) -> None:
        self.integrated = integrated
        self.thread = threading.get_ident()
        self.memory: dict[int, np.ndarray] = {}
        self.queue: list[Any] = []
        self.captured: list[Any] | None = None
        self.calls: list[str] = []

    def _called(self, name: str) -> None:
        assert threading.get_ident() == self.thread, "CUDA was called from another thread than the context's"
        self.calls.append(name)

    def enqueue(self, work: Any) -> None:
        (self.queue if self.captured is None else self.captured).append(work)

    def stream(self) -> int:
        self._called("stream")
        return 7

    def buffer(self, size: int) -> Buffer:
        self._called("buffer")
        host = np.zeros(size, np.uint8)
        device = 1000 + len(self.memory)
        self.memory[device] = host if self.integrated else np.zeros(size, np.uint8)
        return Buffer(host, device, self.integrated)

    def to_device(self, buffer: Buffer, stream: int) -> None:
        self._called("to_device")
        self.enqueue(lambda: np.copyto(self.memory[buffer.device], buffer.host))

    def to_host(self, buffer: Buffer, stream: int) -> None:
        self._called("to_host")
        self.enqueue(lambda: np.copyto(buffer.host, self.memory[buffer.device]))

    def synchronize(self, stream: int) -> None:
        self._called("synchronize")
        for work in self.queue:
            work()
        self.queue.clear()

    def begin_capture(self, stream: int) -> None:
        self._called("begin_capture")
        self.captured = []

    def end_capture(self, stream: int) -> Any:
        self._called("end_capture")
        graph, self.captured = self.captured, None
        return graph

    def launch(self, graph: Any, stream: int) -> None:
        self._called("launch")
        self.queue.extend(graph)

    def close(self) -> None:
        self._called("close")


def fake_tensorrt(cuda_of: Any) -> Any:
    """A module with the names that the backend uses; its "engine" is an ONNX file. `cuda_of()` gives the FakeCuda."""

    class Context:
        def __init__(self, engine: Engine) -> None:
            self.engine, self.addresses = engine, {}

        def set_tensor_address(self, name: str, address: int) -> bool:
            self.addresses[name] = address
            return True

        def execute_async_v3(self, stream: int) -> bool:
            assert stream == 7
            cuda = cuda_of()
            addresses = dict(self.addresses)  # those of this run: a captured graph keeps them

            def work() -> None:
                session = self.engine.session
                memory = {name: cuda.memory[address] for name, address in addresses.items()}
                feed = {i.name: memory[i.name].view(DTYPES[i.type]).reshape(i.shape) for i in session.get_inputs()}
                for port, result in zip(session.get_outputs(), session.run(None, feed)):
                    np.copyto(memory[port.name], np.ascontiguousarray(result).view(np.uint8).reshape(-1))

            cuda.enqueue(work)
            return True

    class Engine:
        def __init__(self, blob: bytes) -> None:
            self.session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
            self.ports = [(p, "in") for p in self.session.get_inputs()] + [
                (p, "out") for p in self.session.get_outputs()
            ]
            self.num_io_tensors = len(self.ports)

        def _port(self, name: str) -> Any:
            return next((port, mode) for port, mode in self.ports if port.name == name)

        def get_tensor_name(self, index: int) -> str:
            return str(self.ports[index][0].name)

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return tuple(self._port(name)[0].shape)

        def get_tensor_dtype(self, name: str) -> str:
            return str(self._port(name)[0].type)

        def get_tensor_mode(self, name: str) -> str:
            return str(self._port(name)[1])

        def create_execution_context(self) -> Context:
            return Context(self)

    class Runtime:
        def __init__(self, logger: object) -> None:
            """As TensorRT's."""

        def deserialize_cuda_engine(self, blob: bytes) -> Engine | None:
            return None if blob == b"foreign" else Engine(blob)

    class Logger:
        ERROR = 1

        def __init__(self, level: int) -> None:
            """As TensorRT's."""

    return SimpleNamespace(
        Runtime=Runtime,
        Logger=Logger,
        __version__="10.3.0",
        TensorIOMode=SimpleNamespace(INPUT="in", OUTPUT="out"),
        nptype=lambda dtype: DTYPES[dtype],
        __spec__=ModuleSpec("tensorrt", None),
    )


class Device:
    """Makes FakeCudas, one a caller's thread; `trt` is the TensorRT that computes on them."""

    def __init__(self, integrated: bool = True) -> None:
        self.integrated = integrated
        self.made: list[FakeCuda] = []
        self.trt = fake_tensorrt(lambda: next(c for c in reversed(self.made) if c.thread == threading.get_ident()))

    def open(self) -> FakeCuda:
        self.made.append(FakeCuda(self.integrated))
        return self.made[-1]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process find the doubles where it looks for TensorRT and CUDA."""
        monkeypatch.setitem(sys.modules, "tensorrt", self.trt)
        monkeypatch.setattr("edge.nets.backends.trt.open_cuda", self.open)
