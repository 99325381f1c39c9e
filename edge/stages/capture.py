"""First stage: frames from a source."""

from __future__ import annotations

import threading

from edge.sources import Captured, Live
from edge.stages.shared import Shared
from edge.threads.mailbox import Mailbox
from edge.threads.realtime import make_realtime


class Capture:
    """Reads a source into a mailbox on its own thread, for the length of its context."""

    def __init__(self, shared: Shared) -> None:
        self.mailbox: Mailbox[Captured] = Mailbox(1 if shared.live else 4, newest_wins=shared.live)
        self.frames = 0
        self._source, self._clock, self._guard = shared.source, shared.clock, shared.guard
        self._realtime = shared.realtime
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def _run(self) -> None:
        make_realtime("capture", self._realtime)
        try:
            frames = iter(self._source)
            while True:
                with self._clock.time("decode"):
                    frame = next(frames, None)
                if frame is None:
                    break
                self._guard.captured(frame.captured_ns)
                self.frames += 1
                if not self.mailbox.put(frame):
                    break
        except BaseException as error:  # handed to the reader, which raises it
            self.mailbox.close(error)
        self._guard.source_ended()
        self.mailbox.close()

    @property
    def status(self) -> str:
        """What a live source says that it does; "" while frames come."""
        return self._source.status if isinstance(self._source, Live) else ""

    @property
    def reconnects(self) -> int:
        return self._source.reconnects if isinstance(self._source, Live) else 0

    def __exit__(self, *_: object) -> None:
        """End the thread; what it has read stays counted."""
        if isinstance(self._source, Live):
            self._source.stop()
        self.mailbox.close()
        self._thread.join(timeout=5)
