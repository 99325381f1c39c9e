"""Synthetic frames as training data: `synth:COUNT@SEED`, such as `synth:800@0`, and `synth-wide:` from wider draws."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError
from edge.heart.regions import MIN_VISIBLE
from edge.synth import SyntheticFrame, SyntheticLoop, quality_label
from edge.synth.compression import jpeg
from edge.synth.settings import HeartSettings, ScanSettings, draw_heart, draw_scan
from train.data.sample import LA, LV, MYOCARDIUM, Sample

SHARES = {"A4C": 0.45, "A2C": 0.4, "A3C": 0.15}
SIZES_PX = (320, 640)
WORKERS = 2
P_SECOND_FRAME = 0.5
P_APICAL_CLUTTER = 0.7
DRAW_STREAM, WIDE_STREAM = 21, 23
EXPERT_LENGTH = 0.94
EXPERT_WIDTH = {"A4C": 0.93, "A2C": 0.97}
"""Experts draw the cavity smaller than its visible border: see `as_experts_draw`."""


def read_synthetic(place: Path, patients: Iterable[str] | None = None, wide: bool = False) -> Iterator[Sample]:
    """Yield about 1.5 x COUNT frames of COUNT loops (COUNT@SEED, the seed 0 if left out), in order, always the same
    ones.

    Views are drawn as in SHARES; each loop gives one or two frames at random phases under the patient name synthNNNNN,
    its seed. ED and ES frames carry their phase. With `wide` hearts and scans are those of `wider_settings`, for
    networks that are to read real recordings without having seen one. Raises DataError for another form of the name.
    """
    make = partial(samples_of, wide=wide)
    wanted = set(patients) if patients is not None else None
    seeds = [s for s in seeds_of(place) if wanted is None or name_of(s) in wanted]
    if len(seeds) < 2 * WORKERS:
        for seed in seeds:
            yield from make(seed)
        return
    # Spawned, since a fork of a process with threads (OpenCV, torch) may lock up.
    with multiprocessing.get_context("spawn").Pool(WORKERS, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        for samples in pool.imap(make, seeds, chunksize=8):
            yield from samples


def seeds_of(place: Path) -> range:
    """The loops that COUNT@SEED names. DataError for another form of the name."""
    found = re.fullmatch(r"(\d+)(?:@(\d+))?", str(place))
    if not found or int(found[1]) == 0:
        raise DataError(f"'synth:{place}' is not a synthetic set; write synth:COUNT@SEED, such as synth:800@0")
    first = int(found[2] or 0)
    return range(first, first + int(found[1]))


def name_of(seed: int) -> str:
    """The patient name of a loop."""
    return f"synth{seed:05d}"


def wider_settings(seed: int, view: str) -> tuple[HeartSettings, ScanSettings]:
    """A loop's heart and scan, drawn from more than patients show (domain randomisation, Tobin et al. 2017).

    The heart lies as deep in the picture as in CAMUS, walls may be lost, cavity and atrium as bright as the wall, the
    point spread twice as wide. In most loops the apex lies under clutter that is brightest above it and fades through
    wall and cavity, as in real recordings: the border is no edge there, and experts draw it on the way down.
    """
    rng = np.random.default_rng([seed, WIDE_STREAM])
    u = rng.uniform
    heart, scan = draw_heart(seed, view), draw_scan(seed, view)
    heart = replace(
        heart,
        half_width=heart.length * u(0.21, 0.38),
        apex=(heart.apex[0], u(1.5, 4.2)),
        wall_left=u(0.8, 1.6),
        wall_right=u(0.75, 1.5),
        wall_apex=u(0.45, 1.05),
    )
    lost = np.array(scan.dropout_db) - u(0, 14, 9) * (rng.random(9) < 0.4)
    near_db, near_cm = u(-20, -4), u(1.0, 7.0)
    if rng.random() < P_APICAL_CLUTTER:
        near_cm = u(2.2, 5.5)
        # as bright as the wall's mean, give or take, where the apical wall begins
        near_db = 8.7 * (heart.apex[1] - 1) / near_cm - 12 + u(-7, 5)
        lost[3:6] -= u(0, 12)
    scan = replace(
        scan,
        depth=(heart.apex[1] + heart.length) * u(1.1, 1.75),
        axial=u(0.014, 0.034),
        lateral=np.deg2rad(u(0.3, 1.1)),
        dynamic_range_db=u(38, 78),
        wall_grey=float(np.clip(rng.normal(0.4, 0.1), 0.18, 0.7)),
        blood_db=u(-34, -14),
        atrium_db=u(-22, -2),
        near_clutter_db=near_db,
        near_clutter_cm=near_cm,
        near_loss_db=u(-2, 9),
        haze_db=u(-30, -12),
        pericardium_db=u(-4, 12),
        surroundings_db=u(-14, 3),
        tgc_db_per_cm=u(-0.6, 0.8),
        dropout_db=tuple(float(d) for d in lost),
    )
    return heart, scan


def samples_of(seed: int, wide: bool = False) -> list[Sample]:
    """The samples of one loop: square pictures of SIZES_PX, half of them through JPEG; masks go on beyond the sector.

    Their scores are exact. With `wide` the atrium alone ends with the sector, as in CAMUS.
    """
    rng = np.random.default_rng([seed, DRAW_STREAM])
    view = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    heart, scan = wider_settings(seed, view) if wide else (None, None)
    loop = SyntheticLoop(seed, view, int(rng.integers(*SIZES_PX)), heart=heart, scan=scan)
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
        if wide:
            mask[(mask == LA) & ~loop.sector] = 0
            mask = as_experts_draw(mask, view)
        phase = phases.get(number, "")
        samples.append(Sample(image, mask, loop.spacing_mm, view, phase, name, source, exact_scores(frame)))
    return samples


def as_experts_draw(mask: NDArray[np.uint8], view: str) -> NDArray[np.uint8]:
    """A mask (HxW uint8, 0-3) whose LV ends where experts end it: below the visible apex, and short of the right wall.

    A network that had learned visible borders alone drew CAMUS's ventricles too long by 6 % and, towards the image's
    right, where trabeculae and papillary muscle stand, too wide by 7 % in A4C and 3 % in A2C (medians over 40 of its
    training patients). The LV shrinks by as much towards its base and its left; what it gives up is myocardium.
    """
    cavity = (mask == LV).astype(np.uint8)
    x, y, _, height = cv2.boundingRect(cavity)
    across, bottom = EXPERT_WIDTH.get(view, 1.0), y + height
    matrix = np.array([[across, 0, x * (1 - across)], [0, EXPERT_LENGTH, bottom * (1 - EXPERT_LENGTH)]])
    drawn = cv2.warpAffine(cavity, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST)
    out: NDArray[np.uint8] = mask.copy()
    out[(cavity > 0) & (drawn == 0)] = MYOCARDIUM
    return out


def exact_scores(frame: SyntheticFrame) -> NDArray[np.float32]:
    """`quality_label` of the eight regions of an apical frame made with quality, NaN for those excluded as out of the
    sector.
    """
    assert frame.scr_db is not None
    assert frame.visible is not None
    scores = quality_label(frame.scr_db, frame.visible)
    return np.where(frame.visible >= MIN_VISIBLE, scores, np.nan).astype(np.float32)
