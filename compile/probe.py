"""Does an engine survive a file? Asked in a process of its own, since some graphs end the one that opens them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from edge.backends import open_backend
from edge.errors import BackendError, EchoEdgeError

LONGEST_S = 300.0


def check_survives(artefact: Path, backend: str, threads: int | None = None, longest_s: float = LONGEST_S) -> None:
    """Open an ONNX file in another process and run it once. Raises BackendError where that process dies, hangs or fails."""
    command = [sys.executable, "-m", "compile.probe", str(artefact), backend, str(threads or 0)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=longest_s)
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{backend} does not answer with {artefact.name} within {longest_s:.0f} s") from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise BackendError(f"{backend} ends its process with {name} on {artefact.name}; try --backend onnxruntime")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise BackendError(f"{backend} cannot run {artefact.name}: {last[0]}")


def run_once(artefact: Path, backend: str, threads: int | None) -> None:
    """One run of a file over zeros, in this process."""
    import onnx

    opened = open_backend(artefact, backend, threads)
    feed = {}
    for port in onnx.load(artefact, load_external_data=False).graph.input:
        kind = onnx.helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)
        feed[port.name] = np.zeros([d.dim_value for d in port.type.tensor_type.shape.dim], kind)
    opened.infer(feed)
    opened.close()


if __name__ == "__main__":
    try:
        run_once(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) or None)
    except EchoEdgeError as error:
        sys.exit(str(error))
