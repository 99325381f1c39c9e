"""`echoedge.stream`: frames one by one, and what ends when nobody takes them any more."""

from __future__ import annotations

import gc
import threading
from itertools import islice

import numpy as np
import pytest

import echoedge
from edge.errors import EchoEdgeError, SourceError

LOOP = "synth://a4c?seed=3&fps=30&severity=0&frames=12"
ENDLESS = LOOP.replace("frames=12", "frames=0")


def threads() -> set[str]:
    """Names of the threads of a run."""
    return {thread.name for thread in threading.enumerate()} & {"stream", "capture", "draw", "output stream"}


def test_the_frames_are_those_of_run() -> None:
    result = echoedge.run(LOOP, view="A4C")
    with echoedge.stream(LOOP, view="A4C") as frames:
        each = list(frames)
        assert [frame.to_row() for frame in each] == result.to_rows()
        assert (np.stack([frame.mask for frame in each]) == result.mask).all()
        assert np.array_equal(np.stack([frame.scores for frame in each]), result.scores, equal_nan=True)
        assert list(frames) == []
    assert frames.report is not None
    assert frames.report.frames_processed == 12
    assert (each[0].picture != each[-1].picture).any()
    assert each[3].volume_ml == result.volumes_ml[3]
    assert each[3]._repr_png_().startswith(b"\x89PNG")
    assert each[3].plot().shape == (580, 640, 3)
    assert not threads()


def test_leaving_early_ends_everything() -> None:
    with echoedge.stream(ENDLESS) as frames:
        numbers = [frame.number for frame in islice(frames, 5)]
    assert numbers == [0, 1, 2, 3, 4]
    assert not threads()
    assert frames.report is not None
    for frame in echoedge.stream(ENDLESS):
        if frame.number == 2:
            break
    gc.collect()
    assert not threads()


def test_a_live_signal_gives_its_newest_frames(sonosite: str) -> None:
    with echoedge.stream(f"{sonosite}?loop&pace=native", view="A4C") as frames:
        numbers = [frame.number for frame in islice(frames, 6)]
    assert numbers == sorted(set(numbers))
    assert not threads()


def test_what_cannot_be_opened_or_analysed_is_raised() -> None:
    with pytest.raises(SourceError, match="does not exist"):
        echoedge.stream("nowhere.mp4")
    with pytest.raises(EchoEdgeError):
        list(echoedge.stream(np.zeros((3, 200, 200), np.uint8), fps=30))
    assert not threads()


def test_a_stream_that_is_never_read_holds_no_thread() -> None:
    stream = echoedge.stream(LOOP)
    stream.close()
    assert list(stream) == []
    assert stream.report is None
