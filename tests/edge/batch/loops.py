"""Small recordings of the phantom, and networks that see it beat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.heart.view import VIEWS
from edge.nets.manifest import VIEW_OUTPUT
from edge.nets.model import QualityScorer, Segmenter
from edge.synth.export import write_dicom, write_video
from tests.edge.nets.doubles import SIZE, Net, manifest
from tests.phantom import apical_frame, apical_mask

FPS, BEAT_FRAMES, FRAMES = 25.0, 16, 44
SPACING_MM = 0.41
A4C, A2C = 1.0, 0.6
"""Brightness of a loop: what the double tells the planes by."""
BETWEEN = 27.0
"""Mean grey level of an input between the two."""


def frames(brightness: float = A4C, count: int = FRAMES) -> list[np.ndarray]:
    return [(_frame(n % 8) * brightness).astype(np.uint8) for n in range(count)]


@lru_cache(maxsize=8)
def _frame(seed: int) -> np.ndarray:
    return apical_frame(seed=seed)


def write_mp4(path: Path, brightness: float = A4C, count: int = FRAMES) -> Path:
    write_video(path, frames(brightness, count), FPS)
    return path


def write_dcm(path: Path, patient: int = 1, brightness: float = A4C, count: int = FRAMES) -> Path:
    """Loops of one patient are of one study; the patient's name stands in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = frames(brightness, count)
    write_dicom(path, pictures, FPS, (SPACING_MM, SPACING_MM), (0, 0, 400, 400), patient, 75)
    return path


class Beating(Net):
    """A segmenter that answers the phantom's mask, narrower in systole, and names the plane by how bright it is.

    `at_call` maps the number of a call to what is done then.
    """

    def __init__(self) -> None:
        super().__init__(lambda: self._mask())
        self.at_call: dict[int, Any] = {}

    def _mask(self) -> np.ndarray:
        phase = 2 * math.pi * (self.calls % BEAT_FRAMES) / BEAT_FRAMES
        return apical_mask(1.0 - 0.16 * (1 - math.cos(phase)), SIZE)

    def infer(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        out = dict(super().infer(inputs))
        if self.calls in self.at_call:
            self.at_call[self.calls]()
        is_a4c = next(iter(inputs.values())).mean() > BETWEEN
        out[VIEW_OUTPUT] = np.array([[0.98 * (view == ("A4C" if is_a4c else "A2C")) for view in VIEWS]], np.float32)
        return out


class Opened:
    """In place of the networks' openers: `times` counts how often each was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.segment = Beating()
        self.times = {"segmenter": 0, "scorer": 0}
        self._score = Net(lambda: np.full(8, 4, np.float32))
        monkeypatch.setattr("edge.opening.open_segmenter", self._segmenter)
        monkeypatch.setattr("edge.opening.open_scorer", self._scorer)

    def _segmenter(self, *_: object, **__: object) -> Segmenter:
        self.times["segmenter"] += 1
        told = msgspec.structs.replace(manifest("segmentation"), name="<b>double</b>", sha256="5e9" * 21 + "0")
        return Segmenter(told, self.segment)

    def _scorer(self, *_: object, **__: object) -> QualityScorer:
        self.times["scorer"] += 1
        return QualityScorer(manifest("quality"), self._score)
