"""Inference engines behind one protocol."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from edge.errors import BackendError
from edge.nets.backends.base import Arrays, Backend
from edge.nets.backends.ort import OnnxRuntimeBackend
from edge.nets.backends.ov import OpenVinoBackend

__all__ = ["BACKENDS", "CHOICES", "TENSORRT", "Arrays", "Backend", "installed_backend", "open_backend"]

BACKENDS: dict[str, Callable[[Path, int | None], Backend]] = {
    "openvino": OpenVinoBackend,
    "onnxruntime": OnnxRuntimeBackend,
}
"""Engines that read ONNX on a CPU, in order of preference; the keys are also the names of the Python packages."""
TENSORRT = "tensorrt"
"""What to ask for to run engines alone."""
CHOICES = ("auto", *BACKENDS, TENSORRT)


def open_backend(path: Path, backend: str = "auto", threads: int | None = None) -> Backend:
    """Load an ONNX file. "auto" takes the first installed engine of BACKENDS.

    Raises BackendError for an unknown name, for a file the engine refuses, and where no engine is installed.
    """
    return BACKENDS[installed_backend(backend)](path, threads)


def installed_backend(wanted: str = "auto") -> str:
    """`wanted`, or for "auto" the first installed engine of BACKENDS. Raises BackendError as `open_backend`."""
    if wanted == "auto":
        installed = [name for name in BACKENDS if find_spec(name)]
        if not installed:
            raise BackendError(
                "no inference engine is installed: pip install 'echoedge[openvino]' or 'echoedge[onnxruntime]'"
            )
        return installed[0]
    if wanted not in BACKENDS:
        raise BackendError(f"'{wanted}' is not a backend; choose auto, {' or '.join(BACKENDS)}")
    return wanted
