"""The noise of a refining model's samples, from one seed: every draw of samples takes its generators from here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.nets.manifest import Manifest

NORMAL_INPUTS, COIN_INPUTS, UNIFORM_PREFIX = ("x_g", "z"), ("x_b",), "u_"
"""Names of a denoiser's random inputs: standard normal, 0 or 1, uniform in [0, 1)."""


def generator_of(seed: int, sample: int) -> np.random.Generator:
    """The generator of one sample: no sample of another seed, and no other sample of this one, has the same stream."""
    return np.random.default_rng((seed, sample))


def draw_noise(manifest: Manifest, seed: int, sample: int) -> dict[str, NDArray[np.float32]]:
    """Every random input of a denoiser by name, in its manifest's shapes; the same for the same seed and sample."""
    rng = generator_of(seed, sample)
    noise: dict[str, NDArray[np.float32]] = {}
    for port in manifest.inputs:
        if port.name in NORMAL_INPUTS:
            noise[port.name] = rng.standard_normal(port.shape, np.float32)
        elif port.name in COIN_INPUTS:
            noise[port.name] = rng.integers(0, 2, port.shape).astype(np.float32)
        elif port.name.startswith(UNIFORM_PREFIX):
            noise[port.name] = rng.random(port.shape, np.float32)
    return noise
