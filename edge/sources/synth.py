"""A live synthetic recording: `synth://a4c?seed=1&fps=50&layout=screen1&frames=300`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from edge.errors import SourceError
from edge.sources.base import Captured
from edge.stated import Stated
from edge.synth.cine import SyntheticLoop
from edge.synth.screen import layout_of
from edge.synth.screen_kinds import KINDS, KindScreen

KEYS = ("seed", "fps", "layout", "kind", "frames", "size", "severity", "dropout")
TEXTS = ("layout", "kind")
DEFAULT_FRAMES = 300
LOST_S = 2.0
"""How long a dropout lasts."""


class SynthSource:
    """Frames of a SyntheticLoop, rendered as they are asked for; grey without a layout, RGB with one.

    Options: seed, fps, layout, kind (of a layout's screen, see KINDS), frames (0 for no end), size (px, without a
    layout), severity 0-1, dropout (every so many seconds LOST_S of frames are missing; 0: never). `region` is the box
    of the picture on the screen. Raises SourceError for an unknown option or a value out of range.
    """

    region: tuple[int, int, int, int] | None = None
    damaged = 0

    def __init__(self, uri: str) -> None:
        self.uri = uri
        parts = urlsplit(uri)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = sorted(set(options) - set(KEYS))
        if unknown:
            raise SourceError(f"{uri}: '{unknown[0]}' is no option of a synthetic source; they are {', '.join(KEYS)}")
        number = {key: _number(uri, key, text) for key, text in options.items() if key not in TEXTS}
        count = int(number.get("frames", DEFAULT_FRAMES))
        if count < 0:
            raise SourceError(f"{uri}: frames is {count}; give a count, or 0 for no end")
        self.frames: int | None = count or None
        layout = layout_of(options["layout"]) if "layout" in options else None
        size = layout.echo[2] if layout else int(number.get("size", 473))
        view = (parts.netloc or "a4c").upper()
        self.loop = SyntheticLoop(int(number.get("seed", 0)), view, size, number.get("fps"), number.get("severity"))
        if "kind" in options and layout is None:
            raise SourceError(f"{uri}: a kind of screen needs a layout, such as &layout=screen1")
        shown_s = number.get("dropout", 0.0)
        if not 0 <= shown_s < math.inf:
            raise SourceError(f"{uri}: dropout is {shown_s:g}; give the seconds between two losses, or 0 for none")
        self._screen = KindScreen(layout, self.loop, options.get("kind", KINDS[0])) if layout else None
        if layout:
            x, y, side = layout.echo
            self.region = (x, y, x + side, y + side)
        self.fps = self.loop.fps
        self._shown, self._lost = round(shown_s * self.fps), round(LOST_S * self.fps)
        self.stated = Stated(self.loop.spacing_mm, "synthetic")

    def __iter__(self) -> Iterator[Captured]:
        number = 0
        while self.frames is None or number < self.frames:
            captured_ns = time.monotonic_ns()
            losses = number // self._shown if self._shown else 0
            frame = self.loop.frame(number + losses * self._lost)
            image = self._screen.compose(frame) if self._screen else frame.image
            yield Captured(number, image, captured_ns, frame.time_s)
            number += 1

    def __enter__(self) -> SynthSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.frames = 0


def _number(uri: str, key: str, text: str) -> float:
    try:
        value = float(text) if key in ("fps", "severity", "dropout") else int(text)
    except ValueError as error:
        raise SourceError(f"{uri}: {key} is '{text}'; give a number") from error
    return value
