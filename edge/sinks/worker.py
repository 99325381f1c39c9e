"""One output on its own thread: a slow or dead one holds up neither the loop nor its neighbours."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import numpy as np

from edge.sinks.base import Shown, Sink
from edge.threads.clock import StageClock
from edge.threads.mailbox import Mailbox
from edge.threads.pool import FramePool

log = logging.getLogger(__name__)

LIVE_SLOTS = 4
"""A moment of delay is bridged; then the newest wins and drops are counted."""
FINISH_S = 10.0


class SinkWorker:
    """Hands pictures to a sink. Of a live source an output that fails is left out from then on and named in `error`;
    of a recording its error ends the run, since its file would be incomplete."""

    def __init__(self, sink: Sink, live: bool, clock: StageClock) -> None:
        self.name = getattr(sink, "name", type(sink).__name__)
        self.error: BaseException | None = None
        self._sink, self._live, self._clock = sink, live, clock
        self._mailbox: Mailbox[Shown] = Mailbox(LIVE_SLOTS if live else 2, newest_wins=live)
        self._pool = FramePool()
        self._thread = threading.Thread(target=self._run, name=f"output {self.name}", daemon=True)

    def __enter__(self) -> SinkWorker:
        self._thread.start()
        return self

    @property
    def dropped(self) -> int:
        """Pictures that came too fast for this output."""
        return self._mailbox.dropped

    def offer(self, shown: Shown) -> None:
        """Leave a finished frame; its picture is copied, since the next frame is drawn over it."""
        if self.error is not None:
            return
        picture = self._pool.take(shown.picture.shape)
        np.copyto(picture, shown.picture)
        self._mailbox.put(replace(shown, picture=picture))

    def _run(self) -> None:
        try:
            for shown in self._mailbox:
                with self._clock.time(f"write {self.name}"):
                    self._sink.write(shown)
        except BaseException as error:
            self.error = error
            self._mailbox.close()
            log.error("output %s failed and is left out: %s", self.name, error)

    def __exit__(self, *_: object) -> None:
        """Wait until what was left is written; a live output that hangs is given up after FINISH_S."""
        self._mailbox.close()
        self._thread.join(FINISH_S if self._live else None)
        if self.error is not None and not self._live:
            raise self.error
