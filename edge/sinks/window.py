"""The picture in a window or on the full screen.

Tk and not OpenCV: the headless build of OpenCV has no windows, and the other one brings Qt and libGL along. Tk comes
with Python.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType

import numpy as np

from edge.errors import EchoEdgeError
from edge.sinks.base import Key, Shown
from edge.sinks.still import still_png
from edge.sinks.tk_view import TkView
from edge.sources.address import parse_address

log = logging.getLogger(__name__)

TICK_MS = 8
"""How often the window looks for a new picture and for keys."""
OPEN_S = 30.0


class WindowSink:
    """`window://`, `window://?full` on the whole screen, `&stills=FOLDER` for what key s keeps (default: here).

    The picture is scaled to the window, its aspect kept. Keys: ? lists them. Tk belongs to the thread that makes it, so
    the window has one of its own, which opens with the first picture; there it is also taken apart.
    """

    name = "window"

    def __init__(self, uri: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise EchoEdgeError("window:// needs Tk: apt-get install python3-tk") from error
        address = parse_address(uri, ("full", "stills"))
        self._tkinter = tkinter
        self._full, self._folder = address.flag("full"), Path(address.options.get("stills", "."))
        self._newest: Shown | None = None
        self._opened, self._closed = threading.Event(), threading.Event()
        self._error: EchoEdgeError | None = None
        self._thread = threading.Thread(target=self._run, name="window", daemon=True)
        self._is_started = False
        self.closed: Callable[[], None] = lambda: None
        self._asked: SimpleQueue[Callable[[TkView], None]] = SimpleQueue()
        self.keys: dict[str, Key] = {
            "question": Key("these keys, or away with them", self._ask(TkView.toggle_help)),
            "space": Key("hold the picture, and go on", self._ask(TkView.hold)),
            "s": Key("keep a still", self._ask(self._keep_still)),
            "f": Key("full screen; Escape goes back", self._ask(lambda view: view.fill(True))),
            "q": Key("end the run", self._quit),
        }

    def __enter__(self) -> WindowSink:
        return self

    def write(self, shown: Shown) -> None:
        """Show one picture. Raises EchoEdgeError where there is no screen."""
        if not self._is_started:
            self._is_started = True
            self._thread.start()
            self._opened.wait(OPEN_S)
        if self._error is not None:
            raise self._error
        if not self._closed.is_set():
            self._newest = replace(shown, picture=shown.picture.copy())

    def _run(self) -> None:
        try:
            self._show_until_closed()
        except self._tkinter.TclError as error:
            self._error = EchoEdgeError(f"window:// finds no screen ({error}); set DISPLAY or leave the window out")
        finally:
            gc.collect()  # whatever of Tk is freed on another thread aborts the process
            self._closed.set()
            self._opened.set()

    def _show_until_closed(self) -> None:
        view = TkView(self._tkinter, self._full, self.keys, self._quit)
        self._opened.set()

        def tick() -> bool:
            if self._closed.is_set():
                return False
            while not self._asked.empty():
                self._asked.get()(view)
            shown, self._newest = self._newest, None
            if shown is not None:
                view.show(shown)
            else:
                view.refresh()
            return True

        try:
            view.every(TICK_MS, tick)
            view.root.mainloop()
        finally:
            view.close()

    def _ask(self, action: Callable[[TkView], None]) -> Callable[[], None]:
        """An action of the window itself, to be done at its next look."""
        return lambda: self._asked.put(action)

    def _keep_still(self, view: TkView) -> None:
        shown = view.shown
        if shown is None:
            return
        number = f"-frame{shown.frame.number}" if shown.frame is not None else ""
        path = self._folder / f"still-{datetime.now():%Y%m%d-%H%M%S}{number}.png"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(still_png(np.asarray(shown.picture, np.uint8), shown.label))
        except OSError as error:
            log.warning("no still is kept: %s", error)
            view.note(f"no still is kept: {error.strerror}")
        else:
            log.info("still: %s", path)
            view.note(f"kept {path.name}")

    def _quit(self) -> None:
        self._closed.set()
        self.closed()

    def finish(self) -> None:
        """Close the window on its own thread."""
        self._closed.set()
        if self._is_started:
            self._thread.join(OPEN_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
