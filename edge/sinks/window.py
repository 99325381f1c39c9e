"""The picture in a window or on the full screen.

Tk and not OpenCV: the headless build of OpenCV has no windows, and the other one brings Qt and libGL along. Tk comes
with Python.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from edge.errors import EchoEdgeError
from edge.sinks.base import Shown
from edge.sources.address import parse_address

TICK_MS = 8
"""How often the window looks for a new picture."""
OPEN_S = 30.0


class WindowSink:
    """`window://` or `window://?full`. Keys: f full screen, Escape back to a window, q ends the run; with `--refine` r
    refines the present frame.

    Tk belongs to the thread that makes it, so the window has one of its own, which opens with the first picture; there
    it is also taken apart: whatever of Tk is freed on another thread aborts the process.
    """

    name = "window"

    def __init__(self, uri: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise EchoEdgeError("window:// needs Tk: apt-get install python3-tk") from error
        self._tkinter = tkinter
        self._full = parse_address(uri, ("full",)).flag("full")
        self._newest: bytes | None = None
        self._error: EchoEdgeError | None = None
        self._opened, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="window", daemon=True)
        self._is_started = False
        self.keys: dict[str, Callable[[], None]] = {}
        self.closed: Callable[[], None] = lambda: None

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
            height, width = shown.picture.shape[:2]
            self._newest = b"P6 %d %d 255 " % (width, height) + shown.picture.tobytes()

    def _run(self) -> None:
        try:
            self._show_until_closed()
        except self._tkinter.TclError as error:
            self._error = EchoEdgeError(f"window:// finds no screen ({error}); set DISPLAY, or leave the window out")
        finally:
            gc.collect()
            self._closed.set()
            self._opened.set()

    def _show_until_closed(self) -> None:
        root = self._tkinter.Tk()
        label = self._opened_on(root)
        self._opened.set()

        def tick() -> None:
            newest, self._newest = self._newest, None
            if newest is not None:
                image = self._tkinter.PhotoImage(master=root, data=newest, format="PPM")
                label.configure(image=image)
                label.image = image  # Tk keeps no reference of its own
            if self._closed.is_set():
                root.quit()
            else:
                root.after(TICK_MS, tick)

        tick()
        root.mainloop()
        label.image = None
        root.destroy()

    def _opened_on(self, root: Any) -> Any:
        """The label that holds the picture; binds the keys."""
        root.title("EchoEdge")
        root.configure(background="black")
        label = self._tkinter.Label(root, borderwidth=0, background="black")
        label.pack(expand=True)
        root.bind("q", lambda _: self._quit())
        root.bind("f", lambda _: root.attributes("-fullscreen", True))
        root.bind("<Escape>", lambda _: root.attributes("-fullscreen", False))
        for key, action in self.keys.items():
            root.bind(key, lambda _, act=action: act())
        root.protocol("WM_DELETE_WINDOW", self._quit)
        root.attributes("-fullscreen", self._full)
        # A kiosk has no window manager that would hand the keys to its only window; before it is mapped they may be
        # refused.
        root.bind("<Map>", lambda _: root.focus_force())
        root.focus_force()
        return label

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
