"""Twenty scanner screens with a patient's name on them, around one synthetic loop each layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.sources import Captured
from edge.stated import Stated
from edge.synth.cine import SyntheticLoop
from edge.synth.screen import AMBER, CYAN, GREY, LAYOUTS, WHITE, Layout, Screen

NAMES = ("MUSTERMANN^ERIKA", "19700131 ID 4711")
OTHERS = ("BERLICHINGEN^KAI", "20010209 ID 9386")
"""As wide and as high, with other letters."""
FRAMES = 4


def layouts() -> dict[str, Layout]:
    """Twenty: the six of edge/synth, and what other scanners do: other inks, no band, no ECG, ticks elsewhere."""
    found = dict(LAYOUTS)
    for number, layout in enumerate((*LAYOUTS.values(), *LAYOUTS.values(), *list(LAYOUTS.values())[:2])):
        found[f"variant{number}"] = replace(
            layout,
            name=f"variant{number}",
            ink=(WHITE, CYAN, AMBER, GREY)[number % 4],
            ticks=("left", "right", "")[number % 3],
            tracing=0 if number % 2 else layout.tracing,
            band=(0, 24, layout.band)[number % 3],
            panels=() if number % 2 else layout.panels,
            logo="" if number % 4 else "Qz",
        )
    return found


@lru_cache(maxsize=8)
def loop_of(size_px: int) -> SyntheticLoop:
    return SyntheticLoop(3, "A4C", size_px, 30.0)


@lru_cache(maxsize=32)
def screens_of(name: str) -> tuple[tuple[NDArray[np.uint8], ...], NDArray[np.bool_]]:
    """(FRAMES pictures of a layout without any name, its sector)."""
    layout = layouts()[name]
    loop = loop_of(layout.echo[2])
    screen = Screen(layout, loop)
    return tuple(screen.compose(loop.frame(6 * number)) for number in range(FRAMES)), screen.sector


def named(name: str, words: Sequence[str]) -> list[NDArray[np.uint8]]:
    """The pictures of a layout with words at its edges and in the corners of the sector's rectangle."""
    pictures, sector = screens_of(name)
    ink = np.zeros((*sector.shape, 3), np.uint8)
    height, width = sector.shape
    rows, columns = np.flatnonzero(sector.any(1)), np.flatnonzero(sector.any(0))
    size = height / 1100
    left, top, bottom = int(columns[0]), int(rows[0]), int(rows[-1])
    for line, word in enumerate(words):
        step = round(28 * height / 720) * line
        wide = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0]
        for x, y in (
            (8, height // 2 + step),
            (width - wide - 8, height // 2 + step),
            (left, top + 30 + step),
            (int(columns[-1]) - wide, top + 30 + step),
            (8, bottom + 4 + step),
        ):
            cv2.putText(ink, word, (x, min(y, height - 4)), cv2.FONT_HERSHEY_SIMPLEX, size, WHITE, 1, cv2.LINE_AA)
    ink[cv2.dilate(sector.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0] = 0
    return [np.maximum(picture, ink) for picture in pictures]


class Clip:
    """A recording of pictures, shown in turn, 30 a second."""

    uri, fps, region, damaged = "clip", 30.0, None, 0

    def __init__(
        self, pictures: Sequence[NDArray[np.uint8]], frames: int = 33, spacing_mm: tuple[float, float] | None = None
    ) -> None:
        self.frames: int | None = frames
        self.stated = Stated(spacing_mm, "typed in" if spacing_mm else "")
        self._pictures, self._count = pictures, frames

    def __iter__(self) -> Iterator[Captured]:
        for number in range(self._count):
            yield Captured(number, self._pictures[number % len(self._pictures)], 0, number / 30)

    def __enter__(self) -> Clip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pictures = ()
