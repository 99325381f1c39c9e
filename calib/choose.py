"""Choose calibration frames: seeded, spread evenly over views and phases, from patients outside the evaluation split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.preprocess import PreprocessSpec, preprocess
from edge.sector import find_sector


class Labelled(Protocol):
    """What is asked of a sample: its picture, stratum and patient."""

    @property
    def image(self) -> NDArray[np.uint8]: ...
    @property
    def view(self) -> str: ...
    @property
    def phase(self) -> str: ...
    @property
    def patient(self) -> str: ...


S = TypeVar("S", bound=Labelled)


def choose_frames(samples: Sequence[S], count: int, held_out: set[str], seed: int = 0) -> list[S]:
    """`count` samples in turn from each (view, phase), in random order within; fewer where there are fewer.

    Raises DataError where every patient is held out for evaluation.
    """
    rng = np.random.default_rng(seed)
    strata: dict[tuple[str, str], list[S]] = {}
    for sample in samples:
        if sample.patient not in held_out:
            strata.setdefault((sample.view, sample.phase), []).append(sample)
    if not strata:
        raise DataError("no frame is left to calibrate on: all patients are in the evaluation split")
    for members in strata.values():
        rng.shuffle(members)  # type: ignore[arg-type]
    rounds = max(len(members) for members in strata.values())
    turns = [members[turn] for turn in range(rounds) for members in strata.values() if turn < len(members)]
    return turns[:count]


def calibration_inputs(samples: Sequence[Labelled], spec: PreprocessSpec) -> list[NDArray[np.uint8]]:
    """Network inputs (1 x 1 x size x size uint8) of samples, through the runtime's own preprocess."""
    return [preprocess(s.image, find_sector([s.image]).box, spec) for s in samples]


def digest_of(inputs: Sequence[NDArray[np.uint8]]) -> str:
    """sha256 over all inputs in order: names a calibration set."""
    digest = hashlib.sha256()
    for array in inputs:
        digest.update(array.tobytes())
    return digest.hexdigest()
