"""Networks for tests of the loop: known answers at once, or the faults that a test asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge.manifest import SCHEMA, Manifest, Port
from edge.model import QualityScorer, Segmenter
from edge.preprocess import PreprocessSpec
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
        schema=SCHEMA, name="double", task=task, file="", sha256="", parent_sha256="", precision="fp32", target="any",
        preprocess=PreprocessSpec(SIZE), inputs=ports[0], outputs=ports[1], classes=(), calibration_sha256="",
        evidence={}, licence="", command="", commit="",
    )  # fmt: skip


def nets() -> tuple[Segmenter, QualityScorer, Net, Net]:
    """(segmenter, scorer, their backends): the phantom's mask and the score 4 for every frame."""
    mask = apical_mask(size=SIZE)
    segment, score = Net(lambda: mask), Net(lambda: np.full(8, 4, np.float32))
    return Segmenter(manifest("segmentation"), segment), QualityScorer(manifest("quality"), score), segment, score
