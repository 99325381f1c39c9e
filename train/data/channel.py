"""Ultrasound channel data in USTB's UFF (HDF5): delay and sum, and the coherence factor of Mallart and Fink (1994).

One `.uff` file holds one recording under `channel_data`: [samples x channels x waves x frames], radio frequency, or
demodulated where `modulation_frequency` is not 0. Plane, diverging and focused transmissions are read; a phased array
looks along z.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import DataError, MissingExtraError

HALF_ANGLE_RAD = 0.65
"""Of the picture's sector: 75 degrees in all."""
DISPLAYED_DB = 60.0
FOCUSED_BEAMS = 2
"""A focused transmission counts where it is among the nearest in angle: elsewhere it sent next to nothing."""
Complexes = NDArray[np.complex64]


@dataclass(frozen=True)
class Transmission:
    """kind "plane", "diverging" or "focused"; source (x, z) in m, for a plane wave its direction; delay in s."""

    kind: str
    source: tuple[float, float]
    delay_s: float


@dataclass(frozen=True)
class ChannelData:
    """samples: frames x waves x elements x time, complex64, phase as received. elements (x, z) in m; times in s, speed
    in m/s.
    """

    samples: Complexes
    elements: NDArray[np.float64]
    transmissions: tuple[Transmission, ...]
    sampling_hz: float
    initial_s: float
    speed: float

    @property
    def depth_m(self) -> float:
        """How deep the last sample reaches."""
        return float(self.speed * (self.initial_s + self.samples.shape[-1] / self.sampling_hz) / 2)


def read_channel_data(path: Path) -> ChannelData:
    """Read a `.uff` file. Raises DataError for one without `channel_data` or with data of another form,
    MissingExtraError without pyuff-ustb."""
    try:
        import pyuff_ustb
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading channel data", "channel") from error
    try:
        stored = pyuff_ustb.Uff(str(path)).read("channel_data")
        data, positions = np.asarray(stored.data), stored.probe
        sequence = stored.sequence if isinstance(stored.sequence, list) else [stored.sequence]
        fields = {k: float(getattr(stored, k)) for k in ("sampling_frequency", "initial_time", "sound_speed")}
        carrier_hz = float(stored.modulation_frequency or 0)
        elements = np.stack([np.ravel(positions.x), np.ravel(positions.z)], axis=1).astype(np.float64)
        transmissions = tuple(_transmission(wave) for wave in sequence)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} holds no USTB channel_data that can be read: {error}") from error
    while data.ndim < 4:
        data = data[..., None]
    if data.ndim > 4 or data.shape[1:3] != (len(elements), len(transmissions)):
        raise DataError(
            f"{path}: samples x {len(elements)} elements x {len(transmissions)} waves x frames are expected, found "
            f"{data.shape}"
        )
    samples = _analytic(np.moveaxis(data, (3, 2, 1, 0), (0, 1, 2, 3)))
    if carrier_hz:
        time = fields["initial_time"] + np.arange(samples.shape[-1]) / fields["sampling_frequency"]
        samples = samples * np.exp(2j * np.pi * carrier_hz * time)
    return ChannelData(
        samples.astype(np.complex64),
        elements,
        transmissions,
        fields["sampling_frequency"],
        fields["initial_time"],
        fields["sound_speed"],
    )


def _transmission(wave: Any) -> Transmission:
    source = wave.source
    delay = float(wave.delay or 0)
    if wave.wavefront.name == "plane" or not np.isfinite(source.distance):
        return Transmission("plane", (float(np.sin(source.azimuth)), float(np.cos(source.azimuth))), delay)
    if wave.wavefront.name != "spherical":
        raise DataError(f"a {wave.wavefront.name} wave cannot be beamformed here; plane and spherical ones can")
    at = (float(source.x), float(source.z))
    return Transmission("focused" if at[1] > 0 else "diverging", at, delay)


def _analytic(samples: NDArray[Any]) -> NDArray[Any]:
    """The analytic signal of real samples along the last axis; complex ones as they are."""
    if np.iscomplexobj(samples):
        return samples
    count = samples.shape[-1]
    spectrum = np.fft.fft(samples, axis=-1)
    spectrum[..., 1 : (count + 1) // 2] *= 2
    spectrum[..., count // 2 + 1 :] = 0
    return np.asarray(np.fft.ifft(spectrum, axis=-1))


def transmit_m(wave: Transmission, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Path in m of a wave from the moment it passes the origin to N x 2 points (x, z)."""
    source = np.array(wave.source)
    if wave.kind == "plane":
        return np.asarray(points @ source)
    to_source, reach = np.hypot(*(points - source).T), float(np.hypot(*source))
    if wave.kind == "diverging":
        return np.asarray(to_source - reach)
    beyond = np.sign(np.hypot(*points.T) - reach)
    return np.asarray(reach + beyond * to_source)


def beamform(data: ChannelData, frame: int, points: NDArray[np.float64]) -> tuple[Complexes, NDArray[np.float64]]:
    """(delayed and summed signal, coherence factor 0-1) of one frame at N x 2 points (x, z) in m.

    CF = |sum S_i| / sum |S_i| over elements, S_i the delayed signal of element i, summed over the waves that reach a
    point.
    """
    signals = np.zeros((len(data.elements), len(points)), np.complex64)
    time = np.arange(data.samples.shape[-1])
    focused = [k for k, w in enumerate(data.transmissions) if w.kind == "focused"]
    angles = np.array([np.arctan2(*data.transmissions[k].source) for k in focused])
    offsets = np.abs(np.arctan2(*points.T)[None] - angles[:, None]) if focused else np.zeros((0, len(points)))
    rank = dict(zip(focused, offsets.argsort(0).argsort(0)))
    for number, wave in enumerate(data.transmissions):
        used = np.flatnonzero(rank[number] < FOCUSED_BEAMS) if number in rank else np.arange(len(points))
        out = transmit_m(wave, points[used]) / data.speed - wave.delay_s - data.initial_s
        for k, element in enumerate(data.elements):
            place = (out + np.hypot(*(points[used] - element).T) / data.speed) * data.sampling_hz
            signals[k, used] += np.interp(place, time, data.samples[frame, number, k], 0, 0)
    total = signals.sum(0)
    apart = np.abs(signals).sum(0)
    return total, np.abs(total) / np.maximum(apart, 1e-12)


def coherence_pictures(
    data: ChannelData, size: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]]:
    """(B-mode size x size uint8 over 60 dB, coherence factor float32, sector bool) of each frame, probe at the top
    centre.
    """
    column, row = np.meshgrid(np.arange(size), np.arange(size))
    points = np.stack([column - (size - 1) / 2, row + 0.5], axis=-1) / size * data.depth_m
    inside = (np.abs(np.arctan2(points[..., 0], points[..., 1])) < HALF_ANGLE_RAD) & (
        np.hypot(points[..., 0], points[..., 1]) < data.depth_m
    )
    for frame in range(len(data.samples)):
        echo, factor = beamform(data, frame, points[inside])
        strength = np.abs(echo)
        decibels = 20 * np.log10(np.maximum(strength, 1e-12) / max(float(strength.max()), 1e-12))
        image, coherence = np.zeros((size, size), np.uint8), np.zeros((size, size), np.float32)
        image[inside] = np.clip(255 * (1 + decibels / DISPLAYED_DB), 0, 255)
        coherence[inside] = factor
        yield image, coherence, inside
