"""What a job in another process does to this one: nothing."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from compile.apart import apart
from compile.graphs import outputs_of
from edge.errors import BackendError

FILE = Path("some/int8.onnx")


def process_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def test_sound_jobs_share_one_process() -> None:
    numbers = {apart(partial(process_after, 0), FILE, "onnxruntime") for _ in range(3)}
    assert len(numbers) == 1
    assert numbers != {os.getpid()}


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (
            partial(signal.raise_signal, signal.SIGSEGV),
            r"^int8\.onnx ends the process in onnxruntime [\d.]+ \(SIGSEGV\)$",
        ),
        (partial(os._exit, 3), r"^int8\.onnx ends the process in onnxruntime [\d.]+ \(exit code 3\)$"),
        (
            partial(outputs_of, {}, {"quality": FILE}, "onnxruntime", []),
            r"^int8\.onnx fails in onnxruntime [\d.]+: .*some/int8\.onnx",
        ),
    ],
)
def test_a_job_that_fails_is_named_and_the_next_one_is_done(job: partial[None], message: str) -> None:
    with pytest.raises(BackendError, match=message):
        apart(job, FILE, "onnxruntime")
    assert apart(partial(process_after, 0), FILE, "onnxruntime") > 0


def test_a_job_that_hangs_is_ended() -> None:
    hanging = apart(partial(process_after, 0), FILE, "onnxruntime")
    with pytest.raises(BackendError, match=r"^int8\.onnx does not answer in onnxruntime [\d.]+ within 0\.2 s$"):
        apart(partial(process_after, 600), FILE, "onnxruntime", longest_s=0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(hanging, 0)
    assert apart(partial(process_after, 0), FILE, "onnxruntime") != hanging
