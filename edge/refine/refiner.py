"""A key frame, refined: the distilled Echo-DND's probability of the left ventricle, and where it is unsure.

Two graphs: the encoder runs once a frame, the denoiser, its steps unrolled, once a sample. Noise is an input, drawn
here from a seed, so that a result repeats.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.nets.artefacts import DENOISER, ENCODER, Found, choose
from edge.nets.backends import Arrays, Backend, open_backend
from edge.nets.manifest import Manifest, find_manifests, verified_artefact
from edge.postprocess import clean_mask, map_on_frame
from edge.preprocess import Box, Frame, PreprocessSpec, preprocess
from edge.refine.noise import draw_noise
from edge.screen.sector import find_sector

COARSE, REFINED = "coarse", "probability"
"""Outputs: the encoder's own estimate of the mask, and the denoiser's."""
SAMPLES = 4


@dataclass(frozen=True)
class Refinement:
    """What is known of one frame; probabilities are of the left ventricle.

    mask H x W uint8 (1 inside); probability and uncertainty H x W float32 on the frame, uncertainty in bits (1: even
    odds); samples K x size x size float32, each sample's probability at the network's own size, within `box`.
    """

    mask: NDArray[np.uint8]
    probability: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    samples: NDArray[np.float32]
    box: Box


def entropy_bits(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Binary entropy of each pixel: 0 where the network is sure, 1 at even odds."""
    p = np.clip(probability, np.float32(1e-6), np.float32(1 - 1e-6))
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), np.float32)


def breadth(probability: NDArray[np.float32], uncertainty: NDArray[np.float32]) -> float:
    """How unsure a picture is as a whole: its entropy in bits summed over all pixels, by the root of the LV's area in
    pixels.

    That is the border's breadth for the LV's size. Zooming by a factor multiplies it by the same.
    """
    return float(uncertainty.sum() / max(1.0, float(probability.sum()) ** 0.5))


class Refiner:
    """Both graphs, loaded. Not for the frame loop: it allocates, and takes several times a frame's budget."""

    def __init__(self, encoder: tuple[Manifest, Backend], denoiser: tuple[Manifest, Backend]) -> None:
        self.encoder_manifest, self.encoder = encoder
        self.denoiser_manifest, self.denoiser = denoiser
        if self.denoiser_manifest.preprocess != self.encoder_manifest.preprocess:
            raise ModelError("encoder and denoiser were made for different inputs; export both again, together")

    def __call__(
        self, frame: Frame, box: Box | None = None, samples: int = SAMPLES, seed: int = 0, until_ns: int | None = None
    ) -> Refinement:
        """HxW or HxWx3 RGB uint8; `box` is found in the frame unless it is given. The rest as `infer`."""
        box = box or find_sector([frame]).box
        drawn = self.infer(preprocess(frame, box, self.spec), samples, seed, until_ns)
        mean = drawn.mean(0)
        shape = frame.shape[:2]
        probability = map_on_frame(mean, box, shape)
        mask = clean_mask(np.asarray(probability > 0.5, np.uint8))
        return Refinement(mask, probability, map_on_frame(entropy_bits(mean), box, shape), drawn, box)

    @property
    def spec(self) -> PreprocessSpec:
        """Of the input of both graphs."""
        return self.encoder_manifest.preprocess

    @property
    def size_px(self) -> int:
        """Side of the input."""
        return self.spec.size_px

    def encode(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """The encoder's outputs of a 1 x 1 x size x size uint8 input, copied: COARSE and the conditions of the
        denoiser.
        """
        found = self.encoder.infer({self.encoder_manifest.inputs[0].name: image})
        return {name: np.array(value) for name, value in found.items()}

    def infer(
        self, image: NDArray[np.uint8], samples: int = SAMPLES, seed: int = 0, until_ns: int | None = None
    ) -> NDArray[np.float32]:
        """Probabilities samples x size x size float32 of a 1 x 1 x size x size uint8 input.

        After `until_ns` (monotonic) no further sample is begun: there are fewer then, but one at least. ModelError
        where fewer than one is asked for.
        """
        if samples < 1:
            raise ModelError(f"{samples} samples refine nothing; ask for at least one")
        encoded = self.encode(image)
        drawn: list[NDArray[np.float32]] = []
        while len(drawn) < samples and not (drawn and until_ns is not None and time.monotonic_ns() > until_ns):
            given = self.denoiser_inputs(image, encoded, seed, len(drawn))
            drawn.append(np.array(self.denoiser.infer(given)[REFINED]))
        return np.asarray(np.concatenate(drawn)[:, 0], np.float32)

    def denoiser_inputs(self, image: NDArray[np.uint8], encoded: Arrays, seed: int, sample: int) -> Arrays:
        """What one run of the denoiser takes: the frame, the encoder's conditions, a sample's noise."""
        wanted = {port.name for port in self.denoiser_manifest.inputs}
        conditions = {name: value for name, value in encoded.items() if name in wanted}
        return {"frame": image, **conditions, **draw_noise(self.denoiser_manifest, seed, sample)}

    def coarse(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The encoder's own estimate alone, size x size float32 in [0, 1]: no step is run."""
        return np.asarray(self.encode(image)[COARSE][0, 0], np.float32)

    def __enter__(self) -> Refiner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free both engines."""
        self.encoder.close()
        self.denoiser.close()


def open_refiner(
    folder: str | Path,
    precision: str = "auto",
    backend: str = "auto",
    threads: int | None = None,
    allow_failed_gate: bool = False,
) -> Refiner:
    """Load a model by its name, such as `echo-dnd`, or its folder, each graph on its own; arguments as
    `edge.nets.model.open_segmenter`'s.

    Raises ModelError where one of the two graphs is missing, was changed or failed a gate.
    """
    found = find_manifests(folder)
    encoder, denoiser = (choose(found, task, precision, "cpu", allow_failed_gate) for task in (ENCODER, DENOISER))
    return load_refiner(encoder, denoiser, backend, threads)


def load_refiner(encoder: Found, denoiser: Found, backend: str = "auto", threads: int | None = None) -> Refiner:
    """Load two artefacts by their manifests and the paths of these, whatever their gates say."""
    opened = []
    for manifest, path in (encoder, denoiser):
        opened.append((manifest, open_backend(verified_artefact(manifest, path), backend, threads)))
    return Refiner(opened[0], opened[1])
