"""Last stage: one output on its own thread. A slow or dead one holds up neither the loop nor its neighbours."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import replace

import numpy as np

from edge.sinks.base import Finishes, Keyed, Shown, Sink
from edge.stages.shared import Shared, reason_of
from edge.threads.mailbox import Mailbox
from edge.threads.pool import FramePool

log = logging.getLogger(__name__)

LIVE_SLOTS = 4
"""A moment of delay is bridged; then the newest wins and drops are counted."""
FINISH_S = 10.0


class Output:
    """Hands pictures to a sink for the length of its context. One that fails stops, with what it has written and its
    reason among what `shared` says has stopped; the others go on."""

    def __init__(self, sink: Sink, shared: Shared) -> None:
        self.name = getattr(sink, "name", type(sink).__name__)
        self._sink, self._shared = sink, shared
        self._has_stopped = False
        self._mailbox: Mailbox[Shown] = Mailbox(LIVE_SLOTS if shared.live else 2, newest_wins=shared.live)
        self._pool = FramePool()
        self._thread = threading.Thread(target=self._run, name=f"output {self.name}", daemon=True)

    def __enter__(self) -> Output:
        self._thread.start()
        return self

    @property
    def dropped(self) -> int:
        """Pictures that came too fast for this output."""
        return self._mailbox.dropped

    def offer(self, shown: Shown) -> None:
        """Leave a finished frame; its picture is copied, since the next frame is drawn over it."""
        if self._has_stopped:
            return
        picture = self._pool.take(shown.picture.shape)
        np.copyto(picture, shown.picture)
        screen = shown.screen if isinstance(self._sink, Keyed) else None
        self._mailbox.put(replace(shown, picture=picture, screen=screen))

    def _run(self) -> None:
        try:
            for shown in self._mailbox:
                with self._shared.clock.time(f"write {self.name}"):
                    self._sink.write(shown)
            self._finish()
        except BaseException as error:
            self._has_stopped = True
            self._mailbox.close()
            self._shared.stop(f"output {self.name}", error)
            log.error("output %s stopped, the others go on: %s", self.name, reason_of(error))
            log.debug("output %s", self.name, exc_info=error)
            with suppress(Exception):  # what is whole stays
                self._finish()

    def _finish(self) -> None:
        if isinstance(self._sink, Finishes):
            self._sink.finish()

    def __exit__(self, *_: object) -> None:
        """Wait until what was left is written; a live output that hangs is given up after FINISH_S."""
        self._mailbox.close()
        self._thread.join(FINISH_S if self._shared.live else None)
        if self._thread.is_alive():
            self._shared.stop(f"output {self.name}", TimeoutError(f"it did not end within {FINISH_S:g} s"))
