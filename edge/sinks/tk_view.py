"""The window itself: scales the picture, holds it, shows help. Everything here happens on the window's own thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from edge.picture.layout import HEIGHT, WIDTH
from edge.picture.palette import Canvas
from edge.picture.window import draw_held, draw_help, draw_note, draw_screen
from edge.sinks.base import Key, Shown

NAMES = {"question": "?", "bracketleft": "[", "bracketright": "]"}
"""How keys are called where Tk calls them otherwise."""
NOTE_S = 3.0
REDRAW_S = 0.5
"""A held picture says this often for how long it has been held."""


class TkView:
    """Raises tkinter's TclError where there is no screen."""

    def __init__(self, tkinter: Any, full: bool, keys: Mapping[str, Key], closed: Callable[[], None]) -> None:
        self._tkinter, self._keys = tkinter, keys
        self.root: Any = tkinter.Tk()
        root = self.root
        root.title("EchoEdge")
        root.configure(background="black")
        self._label: Any = tkinter.Label(root, borderwidth=0, background="black")
        self._label.pack(expand=True, fill="both")
        self._size = (0, 0)
        self.shown: Shown | None = None
        self._held_s: float | None = None
        self._help = False
        self._note, self._note_until_s = "", 0.0
        self._drawn_s = 0.0
        for key, does in keys.items():
            root.bind(f"<KeyPress-{key}>", lambda _, act=does.act: act())
        root.bind("<Escape>", lambda _: self.fill(False))
        root.bind("<Configure>", lambda event: self._resized(event))
        root.protocol("WM_DELETE_WINDOW", closed)
        self.fill(full)
        # A kiosk has no window manager that would hand the keys to its only window; before it is mapped they may be
        # refused.
        root.bind("<Map>", lambda _: root.focus_force())
        root.focus_force()

    def every(self, ms: int, work: Callable[[], bool]) -> None:
        """Call again and again until it says False, then leave the main loop."""
        if work():
            self.root.after(ms, lambda: self.every(ms, work))
        else:
            self.root.quit()

    def fill(self, full: bool) -> None:
        """The whole screen, or a window of the picture's size."""
        width, height = self.root.winfo_screenwidth(), self.root.winfo_screenheight()
        self.root.attributes("-fullscreen", full)
        if not full:
            width, height = min(width, WIDTH), min(height, HEIGHT)
        self.root.geometry(f"{width}x{height}" + ("+0+0" if full else ""))

    def show(self, shown: Shown) -> None:
        """A new picture, unless one is held; a banner ends that."""
        if self._held_s is not None and not shown.banner:
            self.refresh()
            return
        self._held_s, self.shown = None, shown
        self._draw()

    def refresh(self) -> None:
        """Without a new picture: what has its own time."""
        if (self._held_s is not None or self._note) and time.monotonic() - self._drawn_s > REDRAW_S:
            self._draw()

    def hold(self) -> None:
        """Hold the picture that is shown, or go on."""
        self._held_s = time.monotonic() if self._held_s is None else None
        self._draw()

    def toggle_help(self) -> None:
        self._help = not self._help
        self._draw()

    def note(self, words: str) -> None:
        """Show words for a moment."""
        self._note, self._note_until_s = words, time.monotonic() + NOTE_S
        self._draw()

    def close(self) -> None:
        """Take everything of Tk apart."""
        self._label.image = None
        self.root.destroy()
        self.root = self._label = None

    def _resized(self, event: Any) -> None:
        if event.widget is self.root and (event.width, event.height) != self._size:
            self._size = (event.width, event.height)
            self._draw()

    def _draw(self) -> None:
        if self.shown is None:
            return
        now_s = self._drawn_s = time.monotonic()
        picture = scaled(np.asarray(self.shown.picture, np.uint8), self._size)
        if self.shown.screen is not None:
            draw_screen(picture, self.shown.screen, self.shown.side)
        if self._held_s is not None:
            draw_held(picture, now_s - self._held_s)
        if self._help:
            keys = [(NAMES.get(key, key), does.does) for key, does in self._keys.items()]
            draw_help(picture, keys)
        if now_s > self._note_until_s:
            self._note = ""
        if self._note:
            draw_note(picture, self._note)
        height, width = picture.shape[:2]
        pixmap = b"P6 %d %d 255 " % (width, height) + picture.tobytes()
        image = self._tkinter.PhotoImage(master=self.root, data=pixmap, format="PPM")
        self._label.configure(image=image)
        self._label.image = image  # Tk keeps no reference of its own


def scaled(picture: Canvas, size: tuple[int, int]) -> Canvas:
    """A copy as large as fits into size (width, height), its aspect kept; of its own size where that is not known."""
    height, width = picture.shape[:2]
    scale = min(size[0] / width, size[1] / height) if min(size) > 1 else 1.0
    if scale == 1:
        return np.array(picture)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (wide, high), interpolation=how), np.uint8)
