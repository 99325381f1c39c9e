from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, signal, sys
from pathlib import Path
from edge.nets.backends.ov import OpenVinoBackend
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
first = OpenVinoBackend(Path(sys.argv[1]), 1)
second = OpenVinoBackend(Path(sys.argv[1]), 1)
first.close()
del first
second.close()
del second
os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_signals_are_handled_after_networks_closed_in_the_order_they_were_opened(
    model_folders: dict[str, Path],
) -> None:
    pytest.importorskip("openvino")
    path = model_folders["quality"] / "int8.onnx"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
