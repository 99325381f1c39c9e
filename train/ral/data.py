"""Clips packed into items of equal length, one augmentation a clip: what RAL is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from edge.heart.view import VIEWS
from edge.screen.sector import find_sector
from train.augment import AugmentSpec, augment
from train.data.clips import Clip
from train.segmentation import CLASSES, crop_to_sector, known_flags, normalised

CACHE_PX = 288
"""Clips are kept a little larger than they are trained at: augmentation enlarges some."""
PAIR = 2
"""Frames of a clip that is ED and ES alone."""
HELD = (2, 6)
"""How often a held frame is shown, at least and less than."""
DRIFT_SHIFT, DRIFT_ZOOM, DRIFT_DEG = 0.01, 0.01, 0.5
"""The most that a held frame moves from one showing to the next: share of its side, relative size, rotation."""
DRIFT_STREAM, LAYOUT_STREAM = 1, 2


class CroppedClip:
    """A clip at the network's crop: images and masks T x size x size uint8, `view` an index into VIEWS, mm per pixel,
    the classes that its frames annotate.
    """

    def __init__(self, clip: Clip, size: int, classes: int = len(CLASSES)) -> None:
        box = find_sector([frame.image for frame in clip.frames]).box
        pairs = [crop_to_sector(frame, size, classes, box) for frame in clip.frames]
        self.images, self.masks = (np.stack(part) for part in zip(*pairs))
        self.patient, self.view = clip.patient, VIEWS.index(clip.view)
        self.known, self.flags = clip.frames[0].known, known_flags(clip.frames[0].known, classes)
        self.phases = tuple(frame.phase for frame in clip.frames)
        self.spacing_mm = clip.frames[0].spacing_mm[0] * box.side / size
        self.volumes_ml = clip.volumes_ml

    def __len__(self) -> int:
        return len(self.images)


class ClipData(Dataset[tuple[torch.Tensor, ...]]):
    """Items of `length` frames, cut anew each epoch from all clips in a drawn order, short ones one after the other.

    An item is images T x 1 x size x size float32 in [-1, 1], masks T x size x size int64, views T int64 (indices into
    VIEWS), starts T bool, set where a frame does not continue the one before, and known T x classes bool, as of
    `SegmentationData`. Of a longer clip a drawn window of
    `length` frames is taken each epoch. A pair of ED and ES comes in either order or as two pictures, as drawn: always
    ED first, the network would learn that the first frame of a stream is ED. With `spec` its first frame may be held a
    while, drifting as under a hand that is not still: never shown a third frame of real echo, the network lost two to
    three hundredths of Dice by the fourth. All frames of a clip are augmented alike; without `spec` they are only
    resized.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        size: int,
        length: int,
        seed: int,
        spec: AugmentSpec | None,
        classes: int = len(CLASSES),
    ) -> None:
        self.size, self.length, self.seed, self.spec = size, length, seed, spec
        self.clips = [CroppedClip(clip, CACHE_PX if spec else size, classes) for clip in clips]
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Lay the epoch's items out: each a list of (clip, its frames in order)."""
        self.epoch = epoch
        # numpy fills a short seed with zeros: [seed, epoch] alone would draw as clip 0 is augmented
        rng = np.random.default_rng([self.seed, epoch, 0, LAYOUT_STREAM])
        self.items: list[list[tuple[int, list[int]]]] = [[]]
        room = self.length
        for index in map(int, rng.permutation(len(self.clips))):
            for run in _runs(len(self.clips[index]), self.length, rng, self.spec is not None):
                while run:
                    taken, run = run[:room], run[room:]
                    self.items[-1].append((index, taken))
                    room -= len(taken)
                    if not room:
                        self.items.append([])
                        room = self.length
        self.items.pop()  # what does not fill an item waits for another epoch

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, item: int) -> tuple[torch.Tensor, ...]:
        images, masks, views, starts, known = [], [], [], [], []
        for index, run in self.items[item]:
            clip = self.clips[index]
            is_held = len(set(run)) < len(run)
            for position, frame in enumerate(run):
                image, mask = clip.images[frame], clip.masks[frame]
                if is_held:
                    rng = np.random.default_rng([self.seed, self.epoch, index, DRIFT_STREAM])
                    image, mask = drifted(image, mask, position, rng)
                image, mask = self._augmented(image, mask, index)
                images.append(normalised(image))
                masks.append(torch.from_numpy(mask).long())
                views.append(clip.view)
                starts.append(position == 0)
                known.append(clip.flags)
        told = torch.tensor(views), torch.tensor(starts), torch.stack(known)
        return torch.stack(images), torch.stack(masks), *told

    def _augmented(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], index: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if self.spec is None:
            return image, mask
        # Begun anew for each frame, the generator draws the same for all of a clip.
        return augment(image, mask, self.size, np.random.default_rng([self.seed, self.epoch, index]), self.spec)


def _runs(frames: int, length: int, rng: np.random.Generator, holds: bool) -> list[list[int]]:
    """Frames of a clip that follow each other, as drawn; see ClipData. None is held unless `holds`."""
    if frames == PAIR:
        order = rng.permutation(PAIR).tolist()
        kind = rng.random()
        if holds and kind < 0.25:
            return [[order[0]] * int(rng.integers(*HELD)) + order[1:]]
        return [order] if kind < 0.5 else [[frame] for frame in order]
    first = int(rng.integers(max(1, frames - length + 1)))
    return [list(range(first, min(frames, first + length)))]


def drifted(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], steps: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The pair after `steps` frames of a slow movement that `rng` draws; both H x W uint8."""
    height, width = image.shape
    right, down, growth, turn = steps * rng.uniform(-1, 1, 4)
    centre = (width - 1) / 2, (height - 1) / 2
    matrix = cv2.getRotationMatrix2D(centre, DRIFT_DEG * turn, (1 + DRIFT_ZOOM) ** growth)
    matrix[:, 2] += DRIFT_SHIFT * right * width, DRIFT_SHIFT * down * height
    size = (width, height)
    moved, moved_mask = cv2.warpAffine(image, matrix, size), cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST)
    return np.asarray(moved, np.uint8), np.asarray(moved_mask, np.uint8)
