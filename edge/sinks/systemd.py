"""`systemd://`: tells the service manager that pictures come, so that a loop that hangs is started anew."""

from __future__ import annotations

import time
from types import TracebackType

from edge.sinks.base import Shown
from edge.sinks.notify import Notifier, watchdog_s

STUCK = "ANALYSIS STUCK"
"""Banner of the safe state that only a restart ends, where it lasts."""


class SystemdSink:
    """READY at the first picture or banner, a sign of life at most four times per WatchdogSec, the banner as status.

    A stuck analysis gives no sign of life although its banner is drawn: an inference that never returns needs a
    restart.
    """

    name = "systemd"

    def __init__(self, notifier: Notifier | None = None, watchdog: float | None = None) -> None:
        self._notifier = notifier or Notifier()
        self._every_s = (watchdog_s() if watchdog is None else watchdog) / 4
        self._alive_at_s = float("-inf")
        self._status: str | None = None

    def __enter__(self) -> SystemdSink:
        self._notifier.send(STATUS="waiting for the first picture")
        return self

    def write(self, shown: Shown) -> None:
        """One picture or banner was drawn."""
        fields = {} if self._status is not None else {"READY": "1"}
        if shown.banner != self._status:
            self._status = shown.banner
            fields["STATUS"] = shown.banner or "overlay is shown"
        now_s = time.monotonic()
        if not shown.banner.startswith(STUCK) and now_s - self._alive_at_s >= self._every_s:
            self._alive_at_s = now_s
            fields["WATCHDOG"] = "1"
        if fields:
            self._notifier.send(**fields)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._notifier.send(STOPPING="1")
        self._notifier.close()
