"""Networks for tests of the loop: known answers at once, or the faults that a test asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import msgspec
import numpy as np

from edge.nets.manifest import SCHEMA, Manifest, Port
from edge.nets.model import QualityScorer, Segmenter
from edge.preprocess import PreprocessSpec
from edge.refine.refiner import DENOISER, ENCODER, REFINED, Refiner
from tests.phantom import apical_mask

SIZE = 96


class Net:
    """A backend whose answer is computed by `answer`; `hold` clears it to hang, as a stuck driver does."""

    name, version = "double", "0"

    def __init__(self, answer: Callable[[], np.ndarray]) -> None:
        self.answer = answer
        self.calls = 0
        self.free = threading.Event()
        self.free.set()

    def infer(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self.calls += 1
        assert self.free.wait(60)
        return {"out": self.answer()[None]}

    def close(self) -> None:
        """As a backend's."""


def manifest(task: str) -> Manifest:
    ports = (Port("frame", (1, 1, SIZE, SIZE), "uint8", "grey"),), (Port("out", (1,), "uint8", "answer"),)
    return Manifest(
        schema=SCHEMA,
        name="double",
        task=task,
        file="",
        sha256="",
        parent_sha256="",
        precision="fp32",
        target="any",
        preprocess=PreprocessSpec(SIZE),
        inputs=ports[0],
        outputs=ports[1],
        classes=(),
        calibration_sha256="",
        evidence={},
        licence="",
        command="",
        commit="",
    )


def nets() -> tuple[Segmenter, QualityScorer, Net, Net]:
    """(segmenter, scorer, their backends): the phantom's mask and the score 4 for every frame."""
    mask = apical_mask(size=SIZE)
    segment, score = Net(lambda: mask), Net(lambda: np.full(8, 4, np.float32))
    return Segmenter(manifest("segmentation"), segment), QualityScorer(manifest("quality"), score), segment, score


class Threshold:
    """A denoiser's double that sees: dark is the phantom's cavity, how dark is drawn; `hold` and `free` as `Net`'s."""

    name, version = "double", "0"

    def __init__(self) -> None:
        self.calls = 0
        self.threads: list[int] = []
        self.free = threading.Event()
        self.free.set()
        self.fault: Exception | None = None

    def infer(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self.calls += 1
        self.threads.append(threading.get_native_id())
        assert self.free.wait(60)
        if self.fault is not None:
            raise self.fault
        size = inputs["frame"].shape[2]
        frame = cv2.GaussianBlur(inputs["frame"][0, 0].astype(np.float32), (0, 0), 2)
        level = 55 + 8 * float(inputs["z"][0, 0])
        inside = apical_mask(1.4, size) == 1
        return {REFINED: np.where(inside, 1 / (1 + np.exp((frame - level) / 4)), 0).astype(np.float32)[None, None]}

    def close(self) -> None:
        """As a backend's."""


def refiner() -> tuple[Refiner, Threshold]:
    """A refiner that draws the phantom's cavity, and its denoiser."""
    denoiser = Threshold()
    encoder = Net(lambda: np.zeros(0, np.float32))
    noise = (Port("frame", (1, 1, SIZE, SIZE), "uint8", "grey"), Port("z", (1, 1), "float32", "latent"))
    told = msgspec.structs.replace(manifest(DENOISER), inputs=noise)
    return Refiner((manifest(ENCODER), encoder), (told, denoiser)), denoiser
