"""Which engine of a model folder this machine's GPU may run, and the build of a new one while something else runs."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EchoEdgeError, ModelError
from edge.nets.artefacts import Found
from edge.nets.backends.trt import LIBRARIES, Gpu
from edge.nets.manifest import Manifest, check_current, check_engine
from edge.threads.realtime import make_background

log = logging.getLogger(__name__)

ORDER = ("fp16", "fp32", "int8")
COMMAND = (sys.executable, "-m", "edge.cli", "engine")
LOWEST_PRIORITY = 19
WAIT_S = 0.1


@dataclass(frozen=True)
class Engines:
    """A task's engines, best first: those to run, those of an older artefact, and why the others are refused."""

    current: tuple[Found, ...]
    old: tuple[Found, ...]
    refusals: tuple[str, ...]


def sort_engines(
    found: Sequence[Found], task: str, gpu: Gpu, precision: str = "auto", allow_failed_gate: bool = False
) -> Engines:
    """Sort the engines of a task, at a precision or at any, by what this GPU may do with them.

    Those that failed a gate are left out unless they are allowed.
    """
    artefacts = [manifest for manifest, _ in found if manifest.engine is None]
    wanted = [
        (manifest, path)
        for manifest, path in found
        if manifest.engine is not None
        and manifest.task == task
        and precision in ("auto", manifest.precision)
        and (allow_failed_gate or not manifest.gates.failures())
    ]
    current: list[Found] = []
    old: list[Found] = []
    refusals = []
    for manifest, path in sorted(wanted, key=lambda pair: _rank(pair[0])):
        try:
            _check_fits(manifest, gpu)
            old.append((manifest, path))
            check_current(manifest, artefacts)
            current.append(old.pop())
        except ModelError as error:
            refusals.append(str(error))
    return Engines(tuple(current), tuple(old), tuple(refusals))


def _check_fits(manifest: Manifest, gpu: Gpu) -> None:
    library = manifest.engine.library if manifest.engine else ""
    check_engine(manifest, gpu.versions.get(library, ""), gpu.compute_capability)


def _rank(manifest: Manifest) -> tuple[int, int]:
    """INT8 goes first only after it has won a race; TensorRT before TensorRT for RTX."""
    proven = manifest.precision == "int8" and manifest.gates.speed is not None
    place = 0 if proven else ORDER.index(manifest.precision) + 1
    return place, LIBRARIES.index(manifest.engine.library) if manifest.engine else 0


class EngineBuild:
    """`echoedge engine` in a process of its own at the lowest priority; `done` is called on a thread when it has built
    one.

    Builds of one process run one after the other: two at once do not fit into a small board's memory. What fails is
    logged, and what runs goes on running.
    """

    _one_at_a_time = threading.Lock()

    def __init__(self, folder: Path, precision: str, library: str, done: Callable[[], None]) -> None:
        self._command = [*COMMAND, str(folder), "--precision", precision, "--library", library]
        self._done = done
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine build", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # This thread may have been started at the loop's priority; the build's process inherits what it has.
        make_background("engine build")
        while not self._one_at_a_time.acquire(timeout=WAIT_S):
            if self._stopped.is_set():
                return
        try:
            problem = self._build()
        finally:
            self._one_at_a_time.release()
        if self._stopped.is_set():
            return
        try:
            if problem:
                raise EchoEdgeError(problem)
            self._done()
        except EchoEdgeError as error:
            log.warning("no new engine is in use, what runs goes on: %s", error)

    def _build(self) -> str:
        """Run the command; what went wrong, "" for nothing."""
        with subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            os.setpriority(os.PRIO_PROCESS, process.pid, LOWEST_PRIORITY)
            while True:
                try:
                    words = process.communicate(timeout=WAIT_S)[1]
                    break
                except subprocess.TimeoutExpired:
                    if self._stopped.is_set():
                        process.terminate()
        return (words.strip() or f"exit code {process.returncode}") if process.returncode else ""

    def wait(self) -> None:
        """Until the build has ended and `done` was called."""
        self._thread.join()

    def stop(self) -> None:
        """End the build; half an engine is left under a temporary name that nothing reads."""
        self._stopped.set()
        self._thread.join()
