import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from edge.errors import SourceError
from edge.heart.measure import measure_ventricle
from edge.heart.regions import NotMeasurable, find_regions
from edge.synth import VIEWS, SyntheticLoop, quality_label
from edge.synth.settings import SHORT_AXES, ScanSettings
from edge.synth.truth import SCR_DB

APICAL = ("A4C", "A2C", "A3C")
DIGEST = """
import hashlib, sys
from edge.synth import SyntheticLoop
digest = hashlib.sha256()
for view in ("A4C", "A2C", "A3C", "SAX"):
    loop = SyntheticLoop(7, view, 160)
    for number in (0, 5, 90):
        frame = loop.frame(number)
        digest.update(frame.image.tobytes()); digest.update(frame.mask.tobytes())
print(digest.hexdigest())
"""
CLEAR = {"near_clutter_db": -90.0, "haze_db": -90.0, "noise_db": -90.0, "speckle_reduction": 0, "blood_db": -18.0}


def digest_in_another_process(hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", DIGEST],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    return done.stdout.strip()


def test_a_seed_gives_the_same_frames_in_every_process() -> None:
    first, second = digest_in_another_process("1"), digest_in_another_process("2")
    assert len(first) == 64
    assert first == second


def test_frames_do_not_depend_on_the_order_they_are_asked_for() -> None:
    loop, again = SyntheticLoop(3, "A4C", 128), SyntheticLoop(3, "A4C", 128)
    straight = [hashlib.sha256(loop.frame(i).image).hexdigest() for i in range(6)]
    backwards = [hashlib.sha256(again.frame(i).image).hexdigest() for i in reversed(range(6))]
    assert straight == backwards[::-1]


def test_different_seeds_differ() -> None:
    assert (SyntheticLoop(1, "A4C", 128).frame(0).image != SyntheticLoop(2, "A4C", 128).frame(0).image).any()


@pytest.mark.parametrize("view", VIEWS)
def test_a_frame_is_of_one_piece(view: str) -> None:
    loop = SyntheticLoop(5, view, 200)
    frame = loop.frame(loop.es_frame, quality=True)
    assert frame.image.shape == frame.mask.shape == loop.sector.shape == (200, 200)
    assert frame.image.dtype == frame.mask.dtype == np.uint8
    assert (frame.image[~loop.sector] == 0).all()
    assert (frame.mask[~loop.sector] == 0).all()
    is_ring = view in SHORT_AXES
    assert set(np.unique(frame.mask)) == ({0, 1, 2} if is_ring and view != "SAX-AV" else {0, 1, 2, 3})
    assert frame.coherence is not None
    assert frame.coherence.shape == (200, 200)
    assert 0 <= frame.coherence.min() <= frame.coherence.max() <= 1
    assert (frame.scr_db is None) == is_ring
    assert (frame.atrium is None) == (is_ring and view != "SAX-AV")
    assert 0.1 < loop.ef < 0.8
    assert len(list(loop)) == len(loop) == loop.frames_per_beat


@pytest.mark.parametrize("view", APICAL)
def test_masks_measure_what_the_loop_states(view: str) -> None:
    found = 0
    for seed in range(8):
        loop = SyntheticLoop(seed, view, 400)
        volumes = []
        for number in (loop.ed_frame, loop.es_frame):
            mask = loop.frame(number).mask
            regions = find_regions(mask, loop.spacing_mm, loop.sector)
            if not isinstance(regions, NotMeasurable):
                volumes.append(measure_ventricle(mask, regions, loop.spacing_mm).volume_ml)
        if len(volumes) == 2:
            found += 1
            assert volumes[0] == pytest.approx(loop.edv_ml, rel=0.06)
            assert 1 - volumes[1] / volumes[0] == pytest.approx(loop.ef, abs=0.03)
    assert found >= 7


def test_the_short_axis_shrinks_to_its_ejection_fraction() -> None:
    loop = SyntheticLoop(2, "SAX", 400)
    areas = [np.count_nonzero(loop.frame(i).mask == 1) for i in (loop.ed_frame, loop.es_frame)]
    shortening = 1 - loop.heart_settings.shortening
    assert 1 - areas[1] * shortening / areas[0] == pytest.approx(loop.ef, abs=0.03)


def test_the_largest_and_smallest_cavities_are_at_ed_and_es() -> None:
    loop = SyntheticLoop(4, "A2C", 200)
    areas = [np.count_nonzero(frame.mask == 1) for frame in loop]
    assert areas[loop.ed_frame] >= 0.98 * max(areas)
    assert areas[loop.es_frame] <= 1.02 * min(areas)


def along_the_wall(loop: SyntheticLoop, number: int, reference: int) -> np.ndarray:
    """Grey in the septum of frame `number`, at the places that `reference` frame's contours give."""
    image, shape = loop.frame(number).image, loop.frame(reference)
    depth = np.linspace(0.15, 0.85, 12)[None, :, None]
    inner, outer = shape.endocardium[12:45, None], shape.epicardium[12:45, None]
    x, y = np.round(inner + depth * (outer - inner)).astype(int).reshape(-1, 2).T
    inside = loop.sector[y, x]
    return np.where(inside, image[y, x], 0).astype(float)


def test_wall_speckle_moves_with_the_tissue() -> None:
    moving, fixed = [], []
    for seed in range(4):
        scan = ScanSettings(seed, **CLEAR)
        loop = SyntheticLoop(seed, "A4C", 473, fps=50, scan=scan)
        for first in (4, 8):
            before = along_the_wall(loop, first, first)
            moving.append(np.corrcoef(before, along_the_wall(loop, first + 2, first + 2))[0, 1])
            fixed.append(np.corrcoef(before, along_the_wall(loop, first + 2, first))[0, 1])
    assert np.mean(moving) > 0.6
    assert np.mean(moving) > np.mean(fixed) + 0.15


def test_blood_decorrelates_while_the_wall_does_not() -> None:
    loop = SyntheticLoop(1, "A4C", 300, fps=50, scan=ScanSettings(1, **{**CLEAR, "blood_db": -6.0}))
    frames = [loop.frame(loop.es_frame + k) for k in (0, 1, 4)]
    core = np.all([f.mask == 1 for f in frames], axis=0)
    core[: int(np.flatnonzero(core.any(1)).mean())] = False
    grey = [f.image[core].astype(float) for f in frames]
    soon, later = (np.corrcoef(grey[0], other)[0, 1] for other in grey[1:])
    assert later < 0.5 * soon
    assert later < 0.3


def test_severity_takes_quality_away_and_labels_cover_the_scale() -> None:
    labels = {}
    for severity in (0.0, 1.0):
        rows = []
        for seed in range(12):
            frame = SyntheticLoop(seed, APICAL[seed % 3], 96, severity=severity).frame(0, quality=True)
            rows.append(quality_label(np.nan_to_num(frame.scr_db, nan=-99), frame.visible))
        labels[severity] = np.array(rows)
    assert labels[0.0].mean() > labels[1.0].mean() + 0.7
    assert labels[1.0].min() < 1.3
    assert labels[0.0].max() > 4.7


@pytest.mark.parametrize(
    ("scr", "visible", "label"),
    [(SCR_DB[0] - 20, 1, 1), (SCR_DB[2], 1, 3), (SCR_DB[4] + 9, 1, 5), (SCR_DB[4], 0, 1), (SCR_DB[4], 0.5, 3)],
)
def test_the_label_follows_signal_and_visibility(scr: float, visible: float, label: float) -> None:
    assert quality_label(np.array([scr]), np.array([visible]))[0] == pytest.approx(label)


@pytest.mark.parametrize(
    ("keywords", "word"),
    [
        ({"view": "A6C"}, "A6C"),
        ({"seed": -1}, "seed"),
        ({"size_px": 10}, "10 px"),
        ({"fps": 1000.0}, "1000"),
        ({"severity": 2.0}, "severity"),
    ],
)
def test_impossible_settings_are_refused(keywords: dict, word: str) -> None:
    with pytest.raises(SourceError, match=word):
        SyntheticLoop(**{"seed": 0, **keywords})
