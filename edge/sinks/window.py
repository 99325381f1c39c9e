"""The picture in a window or on the full screen.

Tk and not OpenCV: the headless build of OpenCV has no windows, and the other one brings Qt and libGL along. Tk comes
with Python.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from edge.errors import EchoEdgeError
from edge.sinks.base import Shown
from edge.sources.address import parse_address


class WindowSink:
    """`window://` or `window://?full`. Keys: f full screen, Escape back to a window, q ends the run; with `--refine` r
    refines the present frame.

    Tk belongs to the thread that makes it, so the window opens with the first picture.
    """

    name = "window"

    def __init__(self, uri: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise EchoEdgeError("window:// needs Tk: apt-get install python3-tk") from error
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
            # Shells start what they put into the background deaf to the signal that `q` ends the run with.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._tkinter = tkinter
        self._full = parse_address(uri, ("full",)).flag("full")
        self._root: Any = None
        self._label: Any = None
        self._closed = False
        self.keys: dict[str, Callable[[], None]] = {}

    def __enter__(self) -> WindowSink:
        return self

    def write(self, shown: Shown) -> None:
        """Show one picture. Raises EchoEdgeError where there is no screen."""
        if self._closed:
            return
        if self._root is None:
            self._open()
        height, width = shown.picture.shape[:2]
        pixmap = b"P6 %d %d 255 " % (width, height) + shown.picture.tobytes()
        image = self._tkinter.PhotoImage(master=self._root, data=pixmap, format="PPM")
        self._label.configure(image=image)
        self._label.image = image  # Tk keeps no reference of its own
        self._root.update()

    def _open(self) -> None:
        try:
            self._root = self._tkinter.Tk()
        except self._tkinter.TclError as error:
            raise EchoEdgeError(f"window:// finds no screen ({error}); set DISPLAY, or leave the window out") from error
        self._root.title("EchoEdge")
        self._root.configure(background="black")
        self._label = self._tkinter.Label(self._root, borderwidth=0, background="black")
        self._label.pack(expand=True)
        self._root.bind("q", lambda _: self._quit())
        self._root.bind("f", lambda _: self._root.attributes("-fullscreen", True))
        self._root.bind("<Escape>", lambda _: self._root.attributes("-fullscreen", False))
        for key, action in self.keys.items():
            self._root.bind(key, lambda _, act=action: act())
        self._root.protocol("WM_DELETE_WINDOW", self._quit)
        self._root.attributes("-fullscreen", self._full)
        # A kiosk has no window manager that would hand the keys to its only window; before it is mapped they may be
        # refused.
        self._root.bind("<Map>", lambda _: self._root.focus_force())
        self._root.focus_force()

    def _quit(self) -> None:
        self._closed = True
        self._root.destroy()
        # A real signal: it also wakes a main thread that waits for a frame, which may not come.
        signal.pthread_kill(int(threading.main_thread().ident or 0), signal.SIGINT)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
