from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from train.data.channel import ChannelData, Transmission, beamform, coherence_pictures, read_channel_data, transmit_m

pyuff_ustb = pytest.importorskip("pyuff_ustb")

SPEED, SAMPLING_HZ, CARRIER_HZ, ELEMENTS = 1540.0, 10e6, 2.5e6, 16
TARGET = np.array((0.004, 0.02))
DELAYED_S = 3e-6
WAVES = {
    "plane": Transmission("plane", (0.0, 1.0), 0.0),
    "diverging": Transmission("diverging", (0.0, -0.01), DELAYED_S),
    "focused": Transmission("focused", (0.002, 0.03), 0.0),
}


def echoes(wave: Transmission, count: int = 420) -> np.ndarray:
    """samples x elements of one scatterer at TARGET: a short pulse at the carrier, by the geometry of the wave."""
    elements = np.linspace(-0.004, 0.004, ELEMENTS)
    source = np.array(wave.source)
    if wave.kind == "plane":
        out = TARGET[1]
    elif wave.kind == "diverging":
        out = np.hypot(*(TARGET - source)) - np.hypot(*source)
    else:
        out = np.hypot(*source) - np.hypot(*(TARGET - source))
    back = np.hypot(TARGET[0] - elements, TARGET[1])
    time = np.arange(count)[:, None] / SAMPLING_HZ - ((out + back) / SPEED - wave.delay_s)
    return np.cos(2 * np.pi * CARRIER_HZ * time) * np.exp(-((time * 1.5e6) ** 2))


def write_uff(path: Path, wave: Transmission, data: np.ndarray, carrier_hz: float = 0.0) -> None:
    probe = pyuff_ustb.Probe(geometry=np.stack([np.linspace(-0.004, 0.004, ELEMENTS), *np.zeros((6, ELEMENTS))]))
    x, z = wave.source
    distance = np.inf if wave.kind == "plane" else np.hypot(x, z)
    source = pyuff_ustb.Point(distance=distance, azimuth=np.arctan2(x, z), elevation=0.0)
    front = pyuff_ustb.Wavefront.plane if wave.kind == "plane" else pyuff_ustb.Wavefront.spherical
    sequence = pyuff_ustb.Wave(source=source, wavefront=front, sound_speed=SPEED, delay=wave.delay_s)
    pyuff_ustb.ChannelData(
        data=data,
        probe=probe,
        sequence=sequence,
        sampling_frequency=SAMPLING_HZ,
        initial_time=0.0,
        sound_speed=SPEED,
        modulation_frequency=carrier_hz,
    ).write(str(path), "channel_data", ignore_missing_compulsory_fields=True)


@pytest.mark.parametrize("kind", WAVES)
def test_a_point_is_found_where_it_is_and_is_coherent(tmp_path: Path, kind: str) -> None:
    write_uff(tmp_path / "point.uff", WAVES[kind], echoes(WAVES[kind])[:, :, None, None])
    data = read_channel_data(tmp_path / "point.uff")
    assert data.samples.shape == (1, 1, ELEMENTS, 420)
    assert data.transmissions[0].kind == kind
    assert data.depth_m == pytest.approx(420 / SAMPLING_HZ * SPEED / 2)
    grid = np.stack(np.meshgrid(np.linspace(-0.006, 0.01, 65), np.linspace(0.016, 0.024, 65)), axis=-1)
    echo, factor = beamform(data, 0, grid.reshape(-1, 2))
    best = int(np.abs(echo).argmax())
    np.testing.assert_allclose(grid.reshape(-1, 2)[best], TARGET, atol=6e-4)
    assert factor[best] > 0.95


def test_demodulated_data_give_the_same_picture(tmp_path: Path) -> None:
    wave = WAVES["plane"]
    real = echoes(wave)
    time = np.arange(len(real))[:, None] / SAMPLING_HZ
    write_uff(tmp_path / "rf.uff", wave, real[:, :, None, None])
    analytic = read_channel_data(tmp_path / "rf.uff").samples[0, 0].T
    baseband = (analytic * np.exp(-2j * np.pi * CARRIER_HZ * time)).astype(np.complex64)
    write_uff(tmp_path / "iq.uff", wave, baseband[:, :, None, None], CARRIER_HZ)
    point = TARGET[None]
    one, other = (beamform(read_channel_data(tmp_path / f"{name}.uff"), 0, point) for name in ("rf", "iq"))
    np.testing.assert_allclose(one[1], other[1], atol=1e-3)
    np.testing.assert_allclose(np.abs(one[0]), np.abs(other[0]), rtol=1e-3)


def test_noise_is_incoherent_and_pictures_are_black_outside_the_sector() -> None:
    rng = np.random.default_rng(0)
    noise = (rng.standard_normal((1, 1, 64, 300)) + 1j * rng.standard_normal((1, 1, 64, 300))).astype(np.complex64)
    elements = np.stack([np.linspace(-0.01, 0.01, 64), np.zeros(64)], axis=1)
    data = ChannelData(noise, elements, (WAVES["plane"],), SAMPLING_HZ, 0.0, SPEED)
    ((image, coherence, sector),) = coherence_pictures(data, 48)
    # |sum of 64 random phasors| over the sum of their lengths: sqrt(pi / 4) / sqrt(pi / 4) / sqrt(64).
    inner = coherence[sector & (np.arange(48)[:, None] > 8) & (np.arange(48)[:, None] < 30)]
    assert inner.mean() == pytest.approx(1 / 8, rel=0.25)
    assert not image[~sector].any()
    assert not coherence[~sector].any()
    assert image.max() == 255


@pytest.mark.parametrize(
    ("kind", "point", "expected"),
    [("plane", (0.01, 0.02), 0.02), ("diverging", (0.0, 0.02), 0.02), ("focused", (0.004, 0.06), None)],
)
def test_paths_out(kind: str, point: tuple[float, float], expected: float | None) -> None:
    wave = WAVES[kind]
    found = transmit_m(wave, np.array([point]))[0]
    if expected is None:  # beyond the focus on its own line: as straight ahead
        expected = float(np.hypot(*point))
    assert found == pytest.approx(expected)


def test_what_is_no_channel_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.uff").write_text("no")
    with pytest.raises(DataError, match="no USTB channel_data"):
        read_channel_data(tmp_path / "text.uff")
    write_uff(tmp_path / "short.uff", WAVES["plane"], np.zeros((50, ELEMENTS - 1, 1, 1)))
    with pytest.raises(DataError, match="16 elements"):
        read_channel_data(tmp_path / "short.uff")
