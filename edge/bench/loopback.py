"""The ends of a glass-to-glass measurement, processes of their own: a scanner that shows a time-code, an eye that reads
it.

python -m edge.bench.loopback scanner OUTPUT CLIP FPS     sends or shows the clip with the code until its input closes
python -m edge.bench.loopback eye SOURCE                  reads the codes of what arrives until its input closes
Both print one JSON line at the end.
"""

from __future__ import annotations

import sys
import threading
import time
from itertools import islice

import msgspec
import numpy as np

from edge.bench.timecode import WIDE, TimeCode, age_ms, draw_code, read_code, ticks_of
from edge.errors import EchoEdgeError, SourceError
from edge.picture.overlay import HeadUp
from edge.screen.sector import find_sector
from edge.sinks import Shown, open_sink
from edge.sources import Live, open_source

CLIP_FRAMES = 60
CELLS_ACROSS = 160
CODE_DEPTH = 0.6
"""Where the code begins, as a share of the sector's height: the sector is wide enough there."""
UNTOUCHED = HeadUp(0, 0, 0, "", "", 0)


class Sent(msgspec.Struct, frozen=True):
    """What the scanner did: for each frame, how long giving it to the encoder or screen took (ms)."""

    send_ms: list[float]


class Seen(msgspec.Struct, frozen=True):
    """What the eye read: each code's number with its age (ms) when it was read, how long decoding and reading took
    (ms).
    """

    numbers: list[int]
    ages_ms: list[float]
    decode_ms: list[float]
    unread: int


def scanner(output: str, clip: str, fps: float, ended: threading.Event) -> Sent:
    """Show the clip's frames at a steady rate, each with a code of the moment at which it is handed over.

    The code stands in the sector, where it hides some echo: nothing else of a screen is shown again.
    """
    with open_source(clip) as source:
        frames = [np.array(frame.image) for frame in islice(source, CLIP_FRAMES)]
    frames = [np.repeat(f[..., None], 3, 2) if f.ndim == 2 else f for f in frames]
    cell_px, extent = max(4, frames[0].shape[1] // CELLS_ACROSS), find_sector(frames).extent
    at = ((extent[0] + extent[2] - WIDE * cell_px) // 2, round(extent[1] + CODE_DEPTH * (extent[3] - extent[1])))
    send_ms: list[float] = []
    with open_sink(output, fps) as sink:
        due = time.monotonic()
        number = 0
        while not ended.wait(max(0.0, due - time.monotonic())):
            picture = frames[number % len(frames)].copy()
            now = time.monotonic_ns()
            draw_code(picture, TimeCode(ticks_of(now), number & 0xFFFF), at, cell_px)
            sink.write(Shown(picture=picture, head=UNTOUCHED))
            send_ms.append(round((time.monotonic_ns() - now) / 1e6, 3))
            number += 1
            due = max(due + 1 / fps, time.monotonic() - 1 / fps)  # late frames are not made up for in a burst
    return Sent(send_ms)


def eye(uri: str, ended: threading.Event) -> Seen:
    """Read the code of every picture that arrives."""
    numbers, ages, decode = [], [], []
    unread = 0
    source = open_source(uri)
    if not isinstance(source, Live):
        raise SourceError(f"{uri} is a recording; the eye needs a live source")
    with source:
        stop = source.stop

        def wait() -> None:
            ended.wait()
            stop()

        threading.Thread(target=wait, daemon=True).start()
        for frame in source:
            code = read_code(frame.image)
            if code is None:
                unread += 1
                continue
            numbers.append(code.number)
            # Light reaches the eye when the frame is decoded, not when its code is understood.
            ages.append(round(age_ms(code, frame.captured_ns), 2))
            decode.append(round(frame.decode_ms, 3))
    return Seen(numbers, ages, decode, unread)


def main() -> None:
    role, *rest = sys.argv[1:]
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    try:
        found = scanner(rest[0], rest[1], float(rest[2]), ended) if role == "scanner" else eye(rest[0], ended)
    except EchoEdgeError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")


if __name__ == "__main__":
    main()
