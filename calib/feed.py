"""Calibration feeds: iterators of named network inputs, one dict a run of the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge.nets.backends.base import states_of
from edge.refine.refiner import open_refiner

Inputs = Mapping[str, NDArray[Any]]


class Feed(Protocol):
    """What calibrators read, more than once: each `iter` starts from the first run again."""

    def __iter__(self) -> Iterator[Inputs]: ...


class FrameFeed:
    """One run a frame: the graph's only input is `name`."""

    def __init__(self, name: str, frames: Sequence[NDArray[Any]]) -> None:
        self.name, self.frames = name, frames

    def __iter__(self) -> Iterator[Inputs]:
        return ({self.name: frame} for frame in self.frames)


class StreamFeed:
    """Runs of a recurrent network: of each frame `repeats` times in a row, the states carried on, the first and the
    last run.

    Calibration frames are single ones, and states at their zeros would show the activations of a first frame only.
    `path` is the FP32 file, whose states name themselves (`edge.nets.backends.base.states_of`).
    """

    def __init__(self, name: str, frames: Sequence[NDArray[Any]], path: Path, repeats: int = 4) -> None:
        self.name, self.frames, self.path, self.repeats = name, frames, path, repeats
        self.given = sorted({0, repeats - 1})

    def __iter__(self) -> Iterator[Inputs]:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        shapes = {port.name: port.shape for port in session.get_inputs()}
        following = states_of(shapes, [port.name for port in session.get_outputs()])
        for frame in self.frames:
            inputs = {self.name: frame, **{name: np.zeros(shapes[name], np.float32) for name in following}}
            for run in range(self.repeats):
                if run:
                    states = session.run(list(following.values()), inputs)
                    inputs = {self.name: frame, **dict(zip(following, states))}
                if run in self.given:
                    yield inputs


class RefineFeed:
    """Runs of a denoiser: each frame's conditions from the encoder in the model folder, with noise of its own.

    The steps are unrolled in the graph, so one run shows every timestep's activations, each in tensors of its own. (A
    set that holds only one timestep misjudges the others: Shang et al. 2023, PTQ4DM.)
    """

    def __init__(self, folder: Path, frames: Sequence[NDArray[Any]]) -> None:
        self.folder, self.frames = folder, frames

    def __iter__(self) -> Iterator[Inputs]:
        with open_refiner(self.folder, "fp32") as refiner:
            for index, frame in enumerate(self.frames):
                yield refiner.denoiser_inputs(frame, refiner.encode(frame), 0, index)


def spread(feed: Feed, count: int) -> list[Inputs]:
    """Up to `count` runs of a feed, evenly spaced; of a stream's, those in which the states have come to rest."""
    if isinstance(feed, StreamFeed):
        frames = feed.frames
        chosen = [frames[i * len(frames) // count] for i in range(count)] if len(frames) > count else frames
        runs = list(StreamFeed(feed.name, chosen, feed.path, feed.repeats))
        return runs[len(feed.given) - 1 :: len(feed.given)]
    total = sum(1 for _ in feed)
    kept = {i * total // count for i in range(min(count, total))} if total > count else set(range(total))
    return [run for index, run in enumerate(feed) if index in kept]
