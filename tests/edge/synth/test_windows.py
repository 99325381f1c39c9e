"""The planes other windows show, pictures that stand otherwise, sectors of other shapes, and no heart at all."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import SourceError
from edge.synth import SyntheticLoop
from edge.synth.no_heart import NO_HEART, no_heart_picture
from edge.synth.settings import draw_scan, vary_scan

SIZE = 160


def middle_of(mask: np.ndarray, label: int) -> np.ndarray:
    return np.argwhere(mask == label).mean(0)[::-1]


@pytest.mark.parametrize("seed", [3, 4])
def test_parasternal_and_subcostal_planes_lie_across_the_picture(seed: int) -> None:
    long_axis, below = (SyntheticLoop(seed, view, SIZE).whole_mask(0) for view in ("PLAX", "SUBCOSTAL"))
    assert middle_of(long_axis, 3)[0] > middle_of(long_axis, 1)[0] + 10  # the atrium to the right of the ventricle
    assert middle_of(below, 3)[0] < middle_of(below, 1)[0] - 10


def test_a_turned_heart_keeps_its_volumes() -> None:
    loop = SyntheticLoop(7, "PLAX", SIZE)
    assert loop.edv_ml > loop.esv_ml > 0
    assert loop.ef == pytest.approx(1 - loop.esv_ml / loop.edv_ml)


@pytest.mark.parametrize(("mirrored", "upside_down"), [(True, False), (False, True), (True, True)])
def test_a_picture_that_stands_otherwise_is_the_same_picture_flipped(mirrored: bool, upside_down: bool) -> None:
    plain = SyntheticLoop(5, "A4C", SIZE)
    turned = SyntheticLoop(5, "A4C", SIZE, mirrored=mirrored, upside_down=upside_down)
    step = slice(None, None, -1 if upside_down else 1), slice(None, None, -1 if mirrored else 1)
    one, other = plain.frame(2), turned.frame(2)
    assert np.array_equal(turned.sector, plain.sector[step])
    assert np.abs(other.image.astype(int) - one.image[step].astype(int)).mean() < 2
    assert (other.mask != one.mask[step]).mean() < 0.005
    flipped = one.endocardium.copy()
    for axis in [axis for axis, turns in enumerate((mirrored, upside_down)) if turns]:
        flipped[:, axis] = SIZE - 1 - flipped[:, axis]
    assert np.allclose(other.endocardium, flipped)
    assert (turned.probe_px > SIZE / 2) == upside_down


def test_sectors_are_steered_and_begin_broadly() -> None:
    scan = draw_scan(5, "A4C")
    left = SyntheticLoop(5, "A4C", SIZE, scan=replace(scan, steer=-0.25)).sector
    broad = SyntheticLoop(5, "A4C", SIZE, scan=replace(scan, tip=4.0)).sector
    top, lower = (np.flatnonzero(left[row]).mean() for row in (4, SIZE * 3 // 8))
    assert lower < top - 10
    assert broad[4].sum() > 3 * SyntheticLoop(5, "A4C", SIZE, scan=scan).sector[4].sum()


def test_varied_scans_cover_dark_noisy_steered_and_trapezoid_ones() -> None:
    plain = [draw_scan(seed, "A4C") for seed in range(60)]
    varied = [vary_scan(scan, seed) for seed, scan in enumerate(plain)]
    assert all(
        any(getattr(new, name) != getattr(old, name) for new, old in zip(varied, plain))
        for name in ("steer", "tip", "wall_grey", "noise_db")
    )


@pytest.mark.parametrize("kind", NO_HEART)
def test_no_heart_is_the_same_for_a_seed_and_another_for_another(kind: str) -> None:
    one, same, other = (no_heart_picture(seed, kind, SIZE) for seed in (1, 1, 2))
    assert one.shape == (SIZE, SIZE)
    assert one.dtype == np.uint8
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_kind_that_is_none_is_refused() -> None:
    with pytest.raises(SourceError, match="'ship' is not a picture without a heart"):
        no_heart_picture(1, "ship")
