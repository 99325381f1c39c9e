"""Beside the stages: analysed frames kept on disk."""

from __future__ import annotations

import threading
from pathlib import Path

from edge.sources import Captured, Source
from edge.stages.record import Recorder
from edge.threads.mailbox import Mailbox

RECORD_SLOTS = 60


class Recording:
    """Keeps the analysed frames on its own thread; one that falls behind by RECORD_SLOTS frames loses some, and says
    so. The file is whole once the context is left.
    """

    def __init__(self, path: str, source: Source) -> None:
        self.mailbox: Mailbox[tuple[Captured, bool]] = Mailbox(RECORD_SLOTS, newest_wins=True)
        self._recorder = Recorder(Path(path), source.uri, source.fps)
        self._recorder.spacing_mm, self._recorder.region = source.stated.spacing_mm, source.region
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)

    def __enter__(self) -> Recording:
        self._thread.start()
        return self

    def _run(self) -> None:
        for frame, quality in self.mailbox:
            self._recorder.write(frame, quality)

    def __exit__(self, *_: object) -> None:
        self.mailbox.close()
        self._thread.join()
        self._recorder.__exit__(None, None, None)
