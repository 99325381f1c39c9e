"""When each frame of a multi-frame file was taken (PS3.3, C.7.6.5)."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from edge.dicom.numbers import number, numbers

PLAUSIBLE_FPS = (1.0, 1000.0)


def frame_times(data: Any, frames: int) -> tuple[float, list[float]] | None:
    """(mean frames a second, seconds of each frame from the first), None where the file says nothing that can be.

    Frame Time Vector where it has a step for each frame, else Frame Time, which the scanner measured, before Cine Rate
    and Recommended Display Frame Rate, which are rounded for players; a vector of another length is taken for its mean.
    """
    vector = numbers(data, "FrameTimeVector")
    steps = vector[1:] if len(vector) == frames else vector if len(vector) == frames - 1 else []
    if len(steps) > 1 and min(steps) > 0 and _is_plausible(1000 * len(steps) / sum(steps)):
        return 1000 * len(steps) / sum(steps), [0.0, *(ms / 1000 for ms in accumulate(steps))]
    taken = [ms for ms in vector if ms > 0]
    periods = [number(data, "FrameTime"), sum(taken) / len(taken) if taken else None]
    rates = [1000 / ms for ms in periods if ms and ms > 0]
    rates += [rate for k in ("CineRate", "RecommendedDisplayFrameRate") if (rate := number(data, k))]
    fps = next(filter(_is_plausible, rates), None)
    return None if fps is None else (fps, [n / fps for n in range(frames)])


def _is_plausible(fps: float) -> bool:
    return PLAUSIBLE_FPS[0] <= fps <= PLAUSIBLE_FPS[1]
