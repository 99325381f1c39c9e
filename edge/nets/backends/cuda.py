"""The few CUDA calls that the TensorRT backend needs, over cuda-bindings or pycuda, whichever is installed.

All calls of one `Cuda` belong on the thread that made it: a context is current on one thread only.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import BackendError


@dataclass(frozen=True)
class Buffer:
    """Host memory that the device reaches: `host` a flat uint8 array, `device` the address for the engine.

    `mapped` where both are the same memory (integrated GPUs such as Jetson's): then nothing is copied. `owner` keeps
    the memory alive.
    """

    host: NDArray[np.uint8]
    device: int
    mapped: bool
    owner: Any = None


class Cuda(Protocol):
    """One device. Errors are BackendError with CUDA's own name."""

    name: str
    integrated: bool
    has_graphs: bool
    compute_capability: int
    """87 for 8.7."""

    def stream(self) -> int: ...
    def buffer(self, size: int) -> Buffer: ...
    def to_device(self, buffer: Buffer, stream: int) -> None: ...
    def to_host(self, buffer: Buffer, stream: int) -> None: ...
    def synchronize(self, stream: int) -> None: ...
    def begin_capture(self, stream: int) -> None: ...
    def end_capture(self, stream: int) -> Any: ...
    def launch(self, graph: Any, stream: int) -> None: ...
    def close(self) -> None: ...


class CudaBindings:
    """NVIDIA's cuda-bindings (package `cuda-bindings`): wheels for x86-64 and Jetson, imports without a driver."""

    name, has_graphs = "cuda-bindings", True

    def __init__(self) -> None:
        from cuda.bindings import runtime

        self._rt = runtime
        if not self._call("cudaGetDeviceCount"):
            raise BackendError("CUDA finds no device; run on the CPU with --backend openvino")
        self._call("cudaSetDevice", 0)
        facts = runtime.cudaDeviceAttr
        self.integrated = bool(self._call("cudaDeviceGetAttribute", facts.cudaDevAttrIntegrated, 0))
        major = int(self._call("cudaDeviceGetAttribute", facts.cudaDevAttrComputeCapabilityMajor, 0))
        minor = int(self._call("cudaDeviceGetAttribute", facts.cudaDevAttrComputeCapabilityMinor, 0))
        self.compute_capability = 10 * major + minor
        self._hosts: list[int] = []
        self._devices: list[int] = []
        self._streams: list[Any] = []

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call, check the status, return the one result, if any."""
        status, *results = getattr(self._rt, name)(*arguments)
        if status != self._rt.cudaError_t.cudaSuccess:
            raise BackendError(
                f"{name} failed with {status.name}; `nvidia-smi` or `tegrastats` shows whether the GPU works"
            )
        return results[0] if results else None

    def stream(self) -> int:
        """A new stream that does not wait for the default one."""
        made = self._call("cudaStreamCreateWithFlags", self._rt.cudaStreamNonBlocking)
        self._streams.append(made)
        return int(made)

    def buffer(self, size: int) -> Buffer:
        """Pinned host memory and device memory; on an integrated GPU one mapped memory."""
        flag = self._rt.cudaHostAllocMapped if self.integrated else self._rt.cudaHostAllocDefault
        address = int(self._call("cudaHostAlloc", size, flag))
        self._hosts.append(address)
        host = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
        if self.integrated:
            return Buffer(host, int(self._call("cudaHostGetDevicePointer", address, 0)), True)
        device = int(self._call("cudaMalloc", size))
        self._devices.append(device)
        return Buffer(host, device, False)

    def to_device(self, buffer: Buffer, stream: int) -> None:
        if not buffer.mapped:
            kind = self._rt.cudaMemcpyKind.cudaMemcpyHostToDevice
            self._call("cudaMemcpyAsync", buffer.device, buffer.host.ctypes.data, buffer.host.nbytes, kind, stream)

    def to_host(self, buffer: Buffer, stream: int) -> None:
        if not buffer.mapped:
            kind = self._rt.cudaMemcpyKind.cudaMemcpyDeviceToHost
            self._call("cudaMemcpyAsync", buffer.host.ctypes.data, buffer.device, buffer.host.nbytes, kind, stream)

    def synchronize(self, stream: int) -> None:
        self._call("cudaStreamSynchronize", stream)

    def begin_capture(self, stream: int) -> None:
        self._call("cudaStreamBeginCapture", stream, self._rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)

    def end_capture(self, stream: int) -> Any:
        """The captured work, ready to launch."""
        return self._call("cudaGraphInstantiate", self._call("cudaStreamEndCapture", stream), 0)

    def launch(self, graph: Any, stream: int) -> None:
        self._call("cudaGraphLaunch", graph, stream)

    def close(self) -> None:
        """Free everything. Buffers must not be used any more."""
        for stream in self._streams:
            self._call("cudaStreamDestroy", stream)
        for address in self._hosts:
            self._call("cudaFreeHost", address)
        for address in self._devices:
            self._call("cudaFree", address)
        self._streams, self._hosts, self._devices = [], [], []


class PyCuda:
    """pycuda, for devices that have it already. It offers no graphs; each frame is enqueued anew."""

    name, has_graphs = "pycuda", False

    def __init__(self) -> None:
        import pycuda.driver as driver

        self._driver = driver
        try:
            driver.init()
            device = driver.Device(0)
        except driver.Error as error:
            raise BackendError(f"pycuda finds no device ({error}); run on the CPU with --backend openvino") from error
        self._context = device.retain_primary_context()
        self._context.push()
        self.integrated = bool(device.get_attribute(driver.device_attribute.INTEGRATED))
        major, minor = device.compute_capability()
        self.compute_capability = 10 * major + minor
        self._streams: dict[int, Any] = {}
        self._devices: list[Any] = []

    def stream(self) -> int:
        made = self._driver.Stream()
        self._streams[int(made.handle)] = made
        return int(made.handle)

    def buffer(self, size: int) -> Buffer:
        """Pinned host memory and device memory; on an integrated GPU one mapped memory."""
        flags = self._driver.host_alloc_flags.DEVICEMAP if self.integrated else 0
        host = self._driver.pagelocked_empty(size, np.uint8, mem_flags=flags)
        if self.integrated:
            return Buffer(host, int(host.base.get_device_pointer()), True, host)
        device = self._driver.mem_alloc(size)
        self._devices.append(device)
        return Buffer(host, int(device), False, host)

    def to_device(self, buffer: Buffer, stream: int) -> None:
        if not buffer.mapped:
            self._driver.memcpy_htod_async(buffer.device, buffer.host, self._streams[stream])

    def to_host(self, buffer: Buffer, stream: int) -> None:
        if not buffer.mapped:
            self._driver.memcpy_dtoh_async(buffer.host, buffer.device, self._streams[stream])

    def synchronize(self, stream: int) -> None:
        self._streams[stream].synchronize()

    def begin_capture(self, stream: int) -> None:
        raise BackendError("pycuda captures no CUDA graphs; install cuda-bindings for them")

    def end_capture(self, stream: int) -> Any:
        raise BackendError("pycuda captures no CUDA graphs; install cuda-bindings for them")

    def launch(self, graph: Any, stream: int) -> None:
        raise BackendError("pycuda launches no CUDA graphs; install cuda-bindings for them")

    def close(self) -> None:
        """Free everything and leave the context."""
        for device in self._devices:
            device.free()
        self._streams, self._devices = {}, []
        self._context.pop()


LAYERS: dict[str, type[CudaBindings] | type[PyCuda]] = {"cuda.bindings": CudaBindings, "pycuda": PyCuda}
"""Python package -> layer, in order of preference."""


def open_cuda() -> Cuda:
    """The first layer whose package is installed. Raises BackendError where none is, or where it finds no device."""
    for layer in LAYERS.values():
        try:
            return layer()
        except ImportError:
            continue
    raise BackendError(
        "TensorRT needs a CUDA layer: pip install 'echoedge[cuda]' "
        "(JetPack 6: 'cuda-bindings<13', JetPack 7: cuda-bindings)"
    )
