"""Pictures with their coherence: synthetic echo (exact) and channel data (coherence factor)."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edge.errors import DataError
from edge.preprocess import resample
from edge.screen.sector import find_sector
from edge.synth import SyntheticLoop
from train.data.channel import coherence_pictures, read_channel_data
from train.data.reading import readable
from train.data.synthetic import DRAW_STREAM, SHARES, SIZES_PX, WORKERS, name_of
from train.segmentation import normalised

SIZE = 256
GAMMA = 0.5
"""Coherence targets are taken to this power (paper, 2.3.2); the synthetic generator's are already."""
Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class CoherenceFrame:
    """image and target SIZE x SIZE uint8 (target 255 is a coherence of 1, gamma applied), sector bool."""

    image: Grey
    target: Grey
    sector: NDArray[np.bool_]
    patient: str


def open_coherence(place: str) -> Iterator[CoherenceFrame]:
    """Frames of `synth:COUNT@SEED` (one a loop) or `uff:FOLDER` (every frame of every .uff file). DataError for another
    place.
    """
    kind, _, rest = place.partition(":")
    if kind == "uff" and rest:
        paths = sorted(Path(rest).rglob("*.uff"))
        return readable("channel data", paths, lambda path: path.name, _channel_frames)
    found = re.fullmatch(r"(\d+)(?:@(\d+))?", rest)
    if kind != "synth" or not found:
        raise DataError(f"'{place}' has no coherence; write synth:COUNT@SEED or uff:FOLDER")
    first = int(found[2] or 0)
    return _synthetic_frames(range(first, first + int(found[1])))


def _channel_frames(path: Path) -> list[CoherenceFrame]:
    pictures = coherence_pictures(read_channel_data(path), SIZE)
    return [CoherenceFrame(i, np.round(255 * c**GAMMA).astype(np.uint8), s, path.stem) for i, c, s in pictures]


def _synthetic_frames(seeds: Sequence[int]) -> Iterator[CoherenceFrame]:
    if len(seeds) < 2 * WORKERS:
        yield from map(synthetic_frame, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(WORKERS, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.imap(synthetic_frame, seeds, chunksize=8)


def synthetic_frame(seed: int) -> CoherenceFrame:
    """One frame of a synthetic loop, at a random phase, cropped to its sector."""
    rng = np.random.default_rng([seed, DRAW_STREAM])
    view = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    loop = SyntheticLoop(seed, view, int(rng.integers(*SIZES_PX)))
    frame = loop.frame(int(rng.integers(loop.frames_per_beat)), quality=True)
    assert frame.coherence is not None
    box = find_sector([frame.image]).box
    target, sector = (np.round(255 * v).astype(np.uint8) for v in (frame.coherence * loop.sector, loop.sector))
    return CoherenceFrame(
        resample(frame.image, box, SIZE, cv2.INTER_AREA),
        resample(target, box, SIZE, cv2.INTER_AREA),
        resample(sector, box, SIZE, cv2.INTER_NEAREST_EXACT) > 0,
        name_of(seed),
    )


class CoherenceData(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Augmented frames: image 1 x SIZE x SIZE float32 in [-1, 1], target 1 x SIZE x SIZE float32 in 0-1."""

    def __init__(self, frames: Sequence[CoherenceFrame], seed: int) -> None:
        self.frames, self.seed, self.epoch = frames, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image, target = augment(self.frames[index], np.random.default_rng([self.seed, self.epoch, index]))
        return normalised(image), torch.from_numpy(target).float()[None] / 255


def augment(frame: CoherenceFrame, rng: np.random.Generator) -> tuple[Grey, Grey]:
    """The paper's table 2, each p = 0.5: rotation +-45 degrees, mirroring, scaling 0.75-1.25 of both; gamma 0.75-1.25
    and gain 0.2-2 with bias 0-128 of the picture alone, inside the sector, since the screen around it is black at any
    gain."""
    angle = rng.uniform(-45, 45) if rng.random() < 0.5 else 0.0
    scale = rng.uniform(0.75, 1.25) if rng.random() < 0.5 else 1.0
    gamma = rng.uniform(0.75, 1.25) if rng.random() < 0.5 else 1.0
    gain, bias = (rng.uniform(0.2, 2), rng.uniform(0, 128)) if rng.random() < 0.5 else (1.0, 0.0)
    curve = np.clip(gain * 255 * np.linspace(0, 1, 256) ** gamma + bias, 0, 255).astype(np.uint8)
    image = cv2.LUT(frame.image, curve) * frame.sector
    matrix = cv2.getRotationMatrix2D(((SIZE - 1) / 2, (SIZE - 1) / 2), angle, scale)
    image, target = (np.asarray(cv2.warpAffine(p, matrix, (SIZE, SIZE)), np.uint8) for p in (image, frame.target))
    if rng.random() < 0.5:
        image, target = (np.ascontiguousarray(picture[:, ::-1]) for picture in (image, target))
    return image, target
