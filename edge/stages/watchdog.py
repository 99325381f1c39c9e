"""Beside the stages: the safe states that no frame brings about."""

from __future__ import annotations

import logging
import threading
import time

from edge.stages.capture import Capture
from edge.stages.drawing import Drawing
from edge.stages.finished import Finished
from edge.stages.shared import Shared
from edge.threads.realtime import make_realtime

log = logging.getLogger(__name__)

WATCH_S = 0.02
REPEAT_S = 0.5
"""A banner is drawn again this often, so that a viewer who joins late sees it."""


class Watchdog:
    """Looks at the guard every WATCH_S and has the banner drawn when a live signal or the networks fall silent, for the
    length of its context.
    """

    def __init__(self, shared: Shared, capture: Capture, drawing: Drawing) -> None:
        self._guard, self._realtime = shared.guard, shared.realtime
        self._capture, self._drawing = capture, drawing
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def _run(self) -> None:
        make_realtime("watchdog", self._realtime)
        shown, since = "", 0.0
        while not self._ended.wait(WATCH_S):
            now = time.monotonic()
            banner = self._guard.state(time.monotonic_ns(), self._capture.status)
            if banner and (banner != shown or now - since > REPEAT_S):
                self._drawing.mailbox.put(Finished(banner=banner, started_ns=time.monotonic_ns()))
                since = now
            if banner != shown:
                log.warning("%s", banner or "overlay is back")
            shown = banner

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
