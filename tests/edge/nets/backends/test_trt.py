from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import BackendError
from edge.nets.backends.cuda import CudaBindings, open_cuda
from edge.nets.backends.ort import OnnxRuntimeBackend
from edge.nets.backends.trt import TensorRtBackend
from tests.edge.nets.backends.double import Device


@pytest.fixture(params=[False, True], ids=["discrete", "integrated"])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Device:
    made = Device(request.param)
    made.install(monkeypatch)
    return made


@pytest.fixture
def network(model_folders: dict[str, Path]) -> Path:
    return model_folders["quality"] / "fp32.onnx"


def test_the_double_gives_what_onnx_runtime_gives(network: Path, device: Device) -> None:
    backend = TensorRtBackend(network)
    (cuda,) = device.made
    reference = OnnxRuntimeBackend(network)
    name = reference._session.get_inputs()[0].name
    shape = reference._session.get_inputs()[0].shape
    for seed in range(4):  # allocation, capture, two replays
        frame = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        got, expected = backend.infer({name: frame}), reference.infer({name: frame})
        for output in expected:
            assert np.array_equal(got[output], expected[output])
    assert cuda.calls.count("begin_capture") == 1
    assert cuda.calls.count("launch") == 3
    assert cuda.calls.count("to_device") == 2  # a graph copies by itself
    backend.close()
    assert cuda.calls[-1] == "close"


def test_any_thread_may_infer_and_cuda_sees_one(network: Path, device: Device) -> None:
    backend = TensorRtBackend(network)
    shape = (1, 1, 256, 256)
    problems: list[BaseException] = []

    def work() -> None:
        try:
            backend.infer({"frame": np.zeros(shape, np.uint8)})
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    backend.close()


def test_a_foreign_engine_and_a_wrong_input_are_refused(tmp_path: Path, network: Path, device: Device) -> None:
    (tmp_path / "a.engine").write_bytes(b"foreign")
    with pytest.raises(BackendError, match="build it here"):
        TensorRtBackend(tmp_path / "a.engine")
    backend = TensorRtBackend(network)
    with pytest.raises(BackendError, match="the engine takes uint8"):
        backend.infer({"frame": np.zeros((1, 1, 256, 256), np.float32)})
    backend.close()


def test_the_names_of_cuda_bindings() -> None:
    runtime: Any = pytest.importorskip("cuda.bindings.runtime", reason="pip install cuda-bindings")
    for name in (
        "cudaGetDeviceCount",
        "cudaSetDevice",
        "cudaDeviceGetAttribute",
        "cudaStreamCreateWithFlags",
        "cudaHostAlloc",
        "cudaHostGetDevicePointer",
        "cudaMalloc",
        "cudaMemcpyAsync",
        "cudaStreamSynchronize",
        "cudaStreamBeginCapture",
        "cudaStreamEndCapture",
        "cudaGraphInstantiate",
        "cudaGraphLaunch",
        "cudaStreamDestroy",
        "cudaFreeHost",
        "cudaFree",
    ):
        assert callable(getattr(runtime, name))
    for name in ("cudaStreamNonBlocking", "cudaHostAllocMapped", "cudaHostAllocDefault"):
        assert isinstance(getattr(runtime, name), int)
    for name in ("cudaDevAttrIntegrated", "cudaDevAttrComputeCapabilityMajor", "cudaDevAttrComputeCapabilityMinor"):
        assert getattr(runtime.cudaDeviceAttr, name)
    assert runtime.cudaMemcpyKind.cudaMemcpyHostToDevice != runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
    assert runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    if runtime.cudaGetDeviceCount()[0] != runtime.cudaError_t.cudaSuccess:
        with pytest.raises(BackendError, match="cudaGetDeviceCount failed with"):
            open_cuda()


@pytest.mark.gpu
def test_memory_goes_to_the_gpu_and_back() -> None:
    runtime: Any = pytest.importorskip("cuda.bindings.runtime", reason="pip install cuda-bindings")
    if runtime.cudaGetDeviceCount()[0] != runtime.cudaError_t.cudaSuccess:
        pytest.skip("no NVIDIA GPU or driver here")
    cuda = CudaBindings()
    stream, buffer = cuda.stream(), cuda.buffer(1 << 16)
    buffer.host[:] = np.arange(1 << 16).astype(np.uint8)
    for graph in (None, "captured"):
        if graph:
            cuda.begin_capture(stream)
        cuda.to_device(buffer, stream)
        cuda.to_host(buffer, stream)
        if graph:
            cuda.launch(cuda.end_capture(stream), stream)
        cuda.synchronize(stream)
    assert np.array_equal(buffer.host, np.arange(1 << 16).astype(np.uint8))
    cuda.close()
