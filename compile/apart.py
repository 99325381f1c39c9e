"""What opens a candidate is done in a process of its own: some graphs end, or hang, the process that opens them.

One process serves one job after the other and is started anew after a job that ended it, so a candidate that is sound
costs no start of a process.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import traceback
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import BackendError

log = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_S = 600.0
"""The longest job, two hundred frames scored, takes a minute or two."""
START_S = 120.0


class _Worker:
    """A spawned process (a fork would inherit the locks of engines' threads) and the pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()  # else the end of the process would not end the pipe
        if not self.pipe.poll(START_S):
            raise BackendError(f"the process that judges candidates has not started within {START_S:.0f} s; try again")
        self.pipe.recv()

    def end(self, patience_s: float = 5.0) -> int:
        """The exit code: negative for a signal, as `subprocess` has it."""
        self.pipe.close()
        self.process.join(patience_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        return int(self.process.exitcode or 0)


_serving: list[_Worker] = []
"""The one that serves, or none."""


def apart(job: Callable[[], T], candidate: Path, backend: str, longest_s: float = LONGEST_S) -> T:
    """What `job`, which opens `candidate` in `backend`, returns. The job (a `functools.partial` of a module's function)
    and its result are pickled.

    Raises BackendError, which starts with the candidate's name, where the job fails, ends its process or takes longer
    than `longest_s`.
    """
    if not _serving:
        _serving.append(_Worker())
    worker = _serving[0]
    name, engine = candidate.name, f"{backend} {version(backend)}"
    try:
        worker.pipe.send(job)
        found = worker.pipe.recv() if worker.pipe.poll(longest_s) else None
    except (EOFError, OSError) as error:
        code = _serving.pop().end()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise BackendError(f"{name} ends the process in {engine} ({how})") from error
    except BaseException:  # interrupted: the answer to this job must not be taken for that to the next
        _serving.pop().end(patience_s=0)
        raise
    if found is None:
        _serving.pop().end(patience_s=0)
        raise BackendError(f"{name} does not answer in {engine} within {longest_s:g} s")
    result, failure, trace = found
    if failure:
        log.debug("%s", trace)
        raise BackendError(f"{name} fails in {engine}: {failure}")
    return result  # type: ignore[no-any-return]


def _serve(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks ends this one
    pipe.send(None)  # started
    while True:
        try:
            job: Callable[[], Any] = pipe.recv()
        except EOFError:
            return
        try:
            answer = (job(), "", "")
        except Exception as error:  # of any engine: they have no common base
            last = (str(error).strip() or type(error).__name__).splitlines()[-1]
            answer = (None, last, traceback.format_exc())
        pipe.send(answer)
