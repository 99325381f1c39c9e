"""Physics of the image formation: speckle statistics, geometry of the scan conversion, grey curve."""

import numpy as np
import pytest

from edge.synth.imaging import GreyCurve, PointSpread, PolarGrid, ScanConverter, power
from edge.synth.settings import ScanSettings

SCAN = ScanSettings(seed=0, side_lobe_db=-60.0)


def uniform_envelope(density: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grid = PolarGrid(SCAN)
    count = int(density * SCAN.fov * 11**2 / 2)
    r, angle = 11 * np.sqrt(rng.random(count)), (rng.random(count) - 0.5) * SCAN.fov
    points = [(r * f(angle)).astype(np.float32) for f in (np.sin, np.cos)]
    iq = PointSpread(SCAN, grid).apply(grid.deposit(*points, rng.standard_normal(count).astype(np.float32)))
    return np.sqrt(power(iq))[(grid.r > 6) & (grid.r < 10)][:, 15:-15]


@pytest.mark.parametrize(("density", "low", "high"), [(2000, 1.78, 1.97), (240, 1.3, 1.7)])
def test_dense_scatterers_make_rayleigh_speckle_and_sparse_ones_do_not(density: float, low: float, high: float) -> None:
    envelope = uniform_envelope(density, 1)
    assert low < envelope.mean() / envelope.std() < high


def test_a_uniform_medium_is_equally_bright_at_all_depths() -> None:
    envelope = uniform_envelope(1500, 2)
    near, far = (envelope[:50] ** 2).mean(), (envelope[-50:] ** 2).mean()
    assert abs(10 * np.log10(near / far)) < 1.5


def test_a_single_scatterer_appears_where_it_is_and_moves_with_sub_sample_steps() -> None:
    grid = PolarGrid(SCAN)
    converter = ScanConverter(SCAN, grid, 400)
    spread = PointSpread(SCAN, grid)
    for x, y in ((0.0, 5.0), (-3.2, 8.1), (4.0, 9.5)):
        iq = spread.apply(grid.deposit(*(np.full(1, v, np.float32) for v in (x, y, 1.0))))
        picture = converter.values(np.sqrt(power(iq)))
        row, column = np.unravel_index(picture.argmax(), picture.shape)
        expected = converter.pixels(np.array([[x, y]]))[0]
        assert np.hypot(column - expected[0], row - expected[1]) < 2.5
    phases = []
    for step in range(5):
        at = [np.full(1, v, np.float32) for v in (0.0, 7.0 + step * 0.001, 1.0)]
        cell = spread.apply(grid.deposit(*at))[int(7 / grid.dr), grid.shape[1] // 2]
        phases.append(np.angle(cell[0] + 1j * cell[1]))
    turns = np.diff(np.unwrap(phases))
    np.testing.assert_allclose(turns, -4 * np.pi / SCAN.wavelength * 0.001, atol=0.03)


def test_the_grey_curve_rises_and_puts_the_wall_where_asked() -> None:
    curve = GreyCurve(SCAN)
    db = np.linspace(-60, 60, 400, dtype=np.float32)
    grey = curve.apply(db).astype(int)
    assert (np.diff(grey) >= 0).all()
    assert abs(int(curve.apply(np.zeros(1, np.float32))[0]) - 255 * SCAN.wall_grey) < 2
    assert grey[0] < 8
    assert grey[-1] > 240


def test_the_sector_is_black_outside() -> None:
    grid = PolarGrid(SCAN)
    converter = ScanConverter(SCAN, grid, 300)
    picture = converter.picture(np.full(grid.shape, 200, np.uint8))
    assert (picture[~converter.sector] == 0).all()
    assert (picture[converter.sector] == 200).mean() > 0.99
