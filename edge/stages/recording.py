"""Beside the stages: analysed frames kept on disk."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path

from edge.screen.setting import Decided
from edge.sources import Captured
from edge.stages.record import Recorder
from edge.stages.shared import Shared, reason_of
from edge.threads.mailbox import Mailbox

log = logging.getLogger(__name__)

RECORD_SLOTS = 60


class Recording:
    """Keeps the analysed frames on its own thread. Of a live signal one that falls behind by RECORD_SLOTS frames loses
    some, and says so; a recording waits for it. The files are whole once the context is left.

    What fails, such as a full disk, stops the recording with its reason; what it holds by then can be replayed.
    """

    def __init__(self, path: str, shared: Shared) -> None:
        self.mailbox: Mailbox[tuple[Captured, Decided]] = Mailbox(RECORD_SLOTS, newest_wins=shared.live)
        self._shared = shared
        self._recorder = Recorder(Path(path), shared.source)
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)

    def __enter__(self) -> Recording:
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            for frame, decided in self.mailbox:
                self._recorder.write(frame, decided)
            self._recorder.finish()
        except Exception as error:
            self.mailbox.close()
            self._shared.stop("recording", error)
            log.error("the recording stopped, the run goes on: %s", reason_of(error))
            with suppress(Exception):  # what is whole stays
                self._recorder.finish(reason_of(error))

    def __exit__(self, *_: object) -> None:
        self.mailbox.close()
        self._thread.join()
