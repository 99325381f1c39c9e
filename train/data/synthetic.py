"""Synthetic frames as training data: `synth:COUNT@SEED`, such as `synth:800@0`."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.regions import MIN_VISIBLE
from edge.synth import SyntheticFrame, SyntheticLoop, quality_label
from edge.synth.compression import jpeg
from train.data.sample import Sample

SHARES = {"A4C": 0.45, "A2C": 0.4, "A3C": 0.15}
SIZES_PX = (320, 640)
WORKERS = 2
P_SECOND_FRAME = 0.5
DRAW_STREAM = 21


def read_synthetic(place: Path, patients: Iterable[str] | None = None) -> Iterator[Sample]:
    """Yield about 1.5 x COUNT frames of COUNT loops (COUNT@SEED, the seed 0 if left out), in order, always the same ones.

    Views are drawn as in SHARES; each loop gives one or two frames at random phases under the patient name synthNNNNN, its
    seed. ED and ES frames carry their phase. Raises DataError for another form of the name.
    """
    wanted = set(patients) if patients is not None else None
    seeds = [s for s in seeds_of(place) if wanted is None or name_of(s) in wanted]
    if len(seeds) < 2 * WORKERS:
        for seed in seeds:
            yield from samples_of(seed)
        return
    # Spawned, since a fork of a process with threads (OpenCV, torch) may lock up.
    with multiprocessing.get_context("spawn").Pool(WORKERS, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for samples in pool.imap(samples_of, seeds, chunksize=8):
            yield from samples


def seeds_of(place: Path) -> range:
    """The loops that COUNT@SEED names. DataError for another form of the name."""
    found = re.fullmatch(r"(\d+)(?:@(\d+))?", str(place))
    if not found or int(found[1]) == 0:
        raise DataError(f"'synth:{place}' is no synthetic set; write synth:COUNT@SEED, such as synth:800@0")
    first = int(found[2] or 0)
    return range(first, first + int(found[1]))


def name_of(seed: int) -> str:
    """The patient name of a loop."""
    return f"synth{seed:05d}"


def samples_of(seed: int) -> list[Sample]:
    """The samples of one loop: square pictures of SIZES_PX, half of them through JPEG; masks go on beyond the sector.

    Their scores are exact.
    """
    rng = np.random.default_rng([seed, DRAW_STREAM])
    view = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    loop = SyntheticLoop(seed, view, int(rng.integers(*SIZES_PX)))
    count = 1 + int(rng.random() < P_SECOND_FRAME)
    numbers = rng.choice(loop.frames_per_beat, count, replace=False)
    quality = int(rng.integers(55, 96)) if rng.random() < 0.5 else 0
    phases = {loop.ed_frame: "ED", loop.es_frame: "ES"}
    samples = []
    for number in map(int, numbers):
        frame = loop.frame(number, quality=True)
        image = jpeg(frame.image, quality) if quality else frame.image
        name = name_of(seed)
        source = f"synth/{name}_{view}_{number}"
        mask = loop.whole_mask(number)
        phase = phases.get(number, "")
        samples.append(Sample(image, mask, loop.spacing_mm, view, phase, name, source, exact_scores(frame)))
    return samples


def exact_scores(frame: SyntheticFrame) -> NDArray[np.float32]:
    """`quality_label` of the eight regions of an apical frame made with quality, NaN for those excluded as out of the sector."""
    assert frame.scr_db is not None
    assert frame.visible is not None
    scores = quality_label(frame.scr_db, frame.visible)
    return np.where(frame.visible >= MIN_VISIBLE, scores, np.nan).astype(np.float32)
