"""A teacher's consensus on frames, and the targets that it makes together with the experts' masks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from edge.nets.manifest import sha256_of
from edge.terminal import terminal
from train.diffusion.data import MaskData
from train.diffusion.sample import draw_noise, repeat, sample
from train.diffusion.schedule import trailing_grid
from train.echo_dnd import load_echo_dnd
from train.nets.echo_dnd import EchoDND


def consensus(
    teacher: EchoDND, images: Sequence[torch.Tensor], samples: int, grid: Sequence[int], seed: int = 0
) -> NDArray[np.uint8]:
    """Mean probability of both branches over `samples` draws a frame, uint8 with 255 for 1: frames x size x size."""
    device = next(teacher.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    out = np.empty((len(images), *images[0].shape[1:]), np.uint8)
    with torch.inference_mode():
        for index, image in enumerate(
            track(images, "teacher's consensus", console=terminal(stderr=True), transient=True)
        ):
            encoded = repeat(teacher.encode(image[None].to(device)), samples)
            noise = draw_noise(teacher.config, samples, len(grid), generator)
            mean = sample(teacher, encoded, grid, noise).mean().mean(0)[0]
            out[index] = (mean * 255).round().byte().cpu().numpy()
    return out


def stored_consensus(path: Path, teacher: Path, data: MaskData, samples: int, steps: int) -> NDArray[np.uint8]:
    """The consensus on `data`'s frames as they are, from `path` where it was made of the same; else made and stored
    there.
    """
    digest = hashlib.sha256(f"{sha256_of(teacher)} {samples} {steps}".encode())
    images = [data[k][0] for k in range(len(data))]
    for image in images:
        digest.update(image.numpy().tobytes())
    if path.is_file():
        with np.load(path) as stored:
            if str(stored["made_of"]) == digest.hexdigest():
                maps: NDArray[np.uint8] = stored["maps"]
                return maps
    made = consensus(load_echo_dnd(teacher), images, samples, trailing_grid(steps))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name("part." + path.name)
    np.savez_compressed(temporary, maps=made, made_of=digest.hexdigest())
    temporary.replace(path)
    return made


def blend(data: MaskData, maps: NDArray[np.uint8], truth: float, labelled: Sequence[bool]) -> None:
    """Give `data` its targets: truth x the expert's mask + (1 - truth) x the consensus; where unlabelled, the consensus
    alone.

    An unlabelled frame's mask becomes the consensus cut at one half, so that no term sees the expert's.
    """
    soft = []
    for index, known in enumerate(labelled):
        image, mask = data.pairs[index]
        wide = cv2.resize(maps[index], mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        if not known:
            data.pairs[index] = (image, (wide > 127).astype(np.uint8))
        share = truth if known else 0.0
        soft.append(np.round(share * 255 * mask + (1 - share) * wide).astype(np.uint8))
    data.soft = soft
