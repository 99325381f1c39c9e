"""Clips: consecutive annotated frames of one recording, for networks that remember.

`synth:COUNT@SEED` gives synthetic loops of A2C, A3C and A4C with every frame annotated; any other data set's frames are
grouped by patient and view: CAMUS becomes clips of two frames, ED and ES, its half sequences clips of all their frames.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from edge.errors import DataError
from edge.heart.view import VIEWS
from edge.synth import SyntheticLoop
from edge.synth.compression import jpeg
from train.data import open_data
from train.data.sample import Sample
from train.data.synthetic import WORKERS, name_of, seeds_of

SIZE_PX = 320
CLIP_STREAM = 22
STEPS = (1, 2, 3)
"""A training clip takes every, every second or every third frame: scanners' rates differ, and a slow machine drops
frames.
"""


@dataclass(frozen=True)
class Clip:
    """At least one frame, in order. Volumes (ED, ES) in ml are those of the exact contours, None where they are not
    known.
    """

    frames: tuple[Sample, ...]
    volumes_ml: tuple[float, float] | None = None

    @property
    def patient(self) -> str:
        return self.frames[0].patient

    @property
    def view(self) -> str:
        return self.frames[0].view


def open_clips(place: str, length: int | None = None, patients: Collection[str] | None = None) -> Iterator[Clip]:
    """Clips of `KIND:FOLDER` in the views A2C, A3C and A4C, of all patients or those named.

    Synthetic loops give `length` frames from a drawn moment on, or for None one whole beat from ED on. Raises DataError
    as `open_data` does, and for data without such a view.
    """
    kind, _, folder = place.partition(":")
    clips = _synthetic(Path(folder), length, patients) if kind == "synth" else _grouped(open_data(place, patients))
    found = False
    for clip in clips:
        if clip.view in VIEWS:
            found = True
            yield clip
    if not found:
        raise DataError(f"{place} has no frame in {', '.join(VIEWS)}")


def _grouped(samples: Iterable[Sample]) -> Iterator[Clip]:
    for _, frames in groupby(samples, key=lambda s: (s.patient, s.view)):
        yield Clip(tuple(frames))


def _synthetic(place: Path, length: int | None, patients: Collection[str] | None) -> Iterator[Clip]:
    make = partial(clip_of, length=length)
    seeds = [seed for seed in seeds_of(place) if patients is None or name_of(seed) in patients]
    if len(seeds) < 2 * WORKERS:
        yield from map(make, seeds)
        return
    # Spawned, since a fork of a process with threads (OpenCV, torch) may lock up.
    with multiprocessing.get_context("spawn").Pool(WORKERS, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.imap(make, seeds, chunksize=2)


def clip_of(seed: int, length: int | None) -> Clip:
    """The clip of one loop, always the same: its view is drawn, half of them went through JPEG."""
    rng = np.random.default_rng([seed, CLIP_STREAM])
    view = str(rng.choice(VIEWS))
    loop = SyntheticLoop(seed, view, SIZE_PX)
    quality = int(rng.integers(55, 96)) if rng.random() < 0.5 else 0
    first, step = int(rng.integers(loop.frames_per_beat)), int(rng.choice(STEPS))
    numbers = range(loop.frames_per_beat) if length is None else range(first, first + length * step, step)
    phases = {loop.ed_frame: "ED", loop.es_frame: "ES"}
    name = name_of(seed)
    frames = []
    for number in numbers:
        image = loop.frame(number).image
        image = jpeg(image, quality) if quality else image
        phase = phases.get(number % loop.frames_per_beat, "")
        frames.append(
            Sample(image, loop.whole_mask(number), loop.spacing_mm, view, phase, name, f"synth/{name}_{view}_{number}")
        )
    return Clip(tuple(frames), (loop.edv_ml, loop.esv_ml))
