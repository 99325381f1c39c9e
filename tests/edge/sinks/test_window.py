"""The window on a virtual screen: what it shows there, what its keys do, how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.picture.layout import HEIGHT, WIDTH
from edge.picture.window import draw_held, draw_help, draw_screen
from edge.sinks.tk_view import scaled
from tests.peers.processes import need, virtual_screen, wait_until

SCRIPT = """
import sys, threading, time
from dataclasses import replace
import numpy as np
from edge.sinks import open_sink
from edge.sinks.base import Key
from tests.edge.sinks.test_network import shown

over, silent = threading.Event(), threading.Event()
with open_sink(sys.argv[1], 25) as sink:
    sink.closed = over.set
    sink.keys['r'] = Key('refine', lambda: print('pressed r', flush=True))
    sink.keys['b'] = Key('banner', silent.set)
    number = 0
    while not over.wait(0.05):
        level = 40 if number % 2 else 200
        picture = np.full((720, 1280, 3), (level, 0, 90), np.uint8)
        sink.write(replace(shown(number, 'NO SIGNAL: x' if silent.is_set() else ''), picture=picture, label='Bed 3'))
        print('shown', number, flush=True)
        number += 1
print('ended', flush=True)
"""


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (2560, 1440), (1000, 400), (640, 700), (1, 1)])
def test_a_picture_is_scaled_with_its_aspect_kept(size: tuple[int, int]) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    height, width = scaled(picture, size).shape[:2]
    if min(size) > 1:
        assert width <= size[0]
        assert height <= size[1]
        assert max(width / size[0], height / size[1]) > 0.99
    assert abs(width / height - WIDTH / HEIGHT) < 0.02


def test_what_a_window_adds_stays_where_it_belongs() -> None:
    picture = np.full((1080, 1920, 3), 100, np.uint8)
    side = (640, 30, 1280, 530)
    screen = np.full((600, 800, 3), 200, np.uint8)
    drawn = picture.copy()
    draw_screen(drawn, screen, side)
    x0, y0, x1, y1 = (round(1.5 * edge) for edge in side)
    differs = (drawn != picture).any(2)
    assert differs[y0:y1, x0:x1].mean() > 0.99
    differs[y0:y1, x0:x1] = False
    assert not differs.any()
    for draw in (lambda p: draw_help(p, [("?", "these keys"), ("q", "end the run")]), lambda p: draw_held(p, 3.0)):
        drawn = picture.copy()
        draw(drawn)
        assert (drawn != picture).any()


class Window:
    """A process with a window; `see` is its screen, `press` a key of its keyboard."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, environment: Mapping[str, str], size: str) -> None:
        self.process, self.log, self._environment, self._size = process, log, environment, size

    def see(self) -> NDArray[np.uint8]:
        width, height = (int(side) for side in self._size.split("x"))
        done = subprocess.run(
            [
                *(need("ffmpeg", "ffmpeg"), "-v", "error", "-f", "x11grab", "-draw_mouse", "0"),
                *("-video_size", self._size, "-i", self._environment["DISPLAY"], "-frames:v", "1"),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
            ],
            env=self._environment,
            capture_output=True,
            check=True,
            timeout=60,
        )
        return np.frombuffer(done.stdout, np.uint8).reshape(height, width, 3)

    def press(self, key: str) -> None:
        subprocess.run(
            [need("xdotool", "xdotool"), "key", key], env=self._environment, check=False, capture_output=True
        )


@contextmanager
def window(tmp_path: Path, uri: str, size: str = "1280x720") -> Iterator[Window]:
    pytest.importorskip("tkinter", reason="no Tk (apt-get install python3-tk)")
    log = tmp_path / "log"
    with virtual_screen(size) as environment, log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT, uri],
            stdout=out,
            stderr=out,
            env=environment,
        )
        try:
            opened = Window(process, log, environment, size)
            wait_until(lambda: b"shown 5\n" in log.read_bytes(), "the window")
            yield opened
        finally:
            process.kill()
            process.wait()


def coloured(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the test's picture is: without green, with some blue."""
    return (picture[..., 1] < 8) & (np.abs(picture[..., 2].astype(int) - 90) < 8)


@pytest.mark.parametrize("size", ["1280x720", "1920x1080", "1024x768"])
def test_full_fills_the_screen_with_the_aspect_kept(size: str, tmp_path: Path) -> None:
    width, height = (int(side) for side in size.split("x"))
    scale = min(width / WIDTH, height / HEIGHT)
    with window(tmp_path, "window://?full", size=size) as opened:
        wait_until(
            lambda: coloured(opened.see()).sum() == round(WIDTH * scale) * round(HEIGHT * scale), "the whole screen"
        )


def test_keys_hold_the_picture_list_the_keys_keep_a_still_and_end_the_run(tmp_path: Path) -> None:
    with window(tmp_path, f"window://?stills={tmp_path / 'stills'}") as opened:
        wait_until(lambda: (opened.press("r"), "pressed r" in opened.log.read_text())[1], "the keyboard")
        opened.press("s")
        wait_until(lambda: bool(list((tmp_path / "stills").glob("still-*.png"))), "the still")
        still = cv2.imread(str(next((tmp_path / "stills").glob("still-*.png"))))
        assert still.shape == (HEIGHT, WIDTH, 3)
        assert (still[:30].min(2) > 150).any()  # the label
        assert not (still[30:].min(2) > 100).any()
        opened.press("space")
        wait_until(lambda: not coloured(opened.see())[45:70, 500:800].all(), "the mark of a held picture")
        held = {int(opened.see()[600, 100, 0]) for _ in range(6)}
        assert len(held) == 1
        opened.press("space")
        wait_until(lambda: len({int(opened.see()[600, 100, 0]) for _ in range(6)}) == 2, "the picture's going on")
        opened.press("question")
        wait_until(lambda: (opened.see()[200:520, 300:1000].min(2) > 150).sum() > 200, "the list of keys")
        opened.press("q")
        wait_until(lambda: opened.process.poll() is not None, "the end")
        assert opened.process.returncode == 0, opened.log.read_text()
        assert opened.log.read_text().endswith("ended\n")


def test_a_banner_ends_the_holding_of_a_picture(tmp_path: Path) -> None:
    with window(tmp_path, "window://") as opened:
        wait_until(lambda: (opened.press("r"), "pressed r" in opened.log.read_text())[1], "the keyboard")
        opened.press("space")
        wait_until(lambda: not coloured(opened.see())[45:70, 500:800].all(), "the mark of a held picture")
        opened.press("b")
        wait_until(lambda: bool(coloured(opened.see())[45:70, 500:800].all()), "the picture with the banner")


def test_a_window_that_is_left_alone_ends_with_its_run(tmp_path: Path) -> None:
    with virtual_screen() as environment:
        script = (
            "from edge.sinks import open_sink\nfrom tests.edge.sinks.test_network import shown\n"
            "with open_sink('window://', 25) as sink:\n    sink.write(shown())\nprint('ended')\n"
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


def test_without_a_screen_the_window_says_so() -> None:
    script = (
        "from edge.sinks import open_sink\nfrom tests.edge.sinks.test_network import shown\n"
        "with open_sink('window://', 25) as sink:\n    sink.write(shown())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path)},
        timeout=120,
        check=False,
    )
    assert "finds no screen" in done.stderr
