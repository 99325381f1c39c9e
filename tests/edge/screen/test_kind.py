"""Which screens are measured: B-mode in every layout is, everything else is refused by its name."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.errors import SourceError
from edge.screen.kind import COLOUR, FROZEN, STILL_S, EchoWatch
from edge.screen.sector import fan_mask, find_sector
from edge.screen.tracker import SectorTracker
from edge.synth import SyntheticLoop
from edge.synth.compression import jpeg
from edge.synth.screen import LAYOUTS
from edge.synth.screen_kinds import KINDS, KindScreen
from tests.phantom import apical_frame, on_screen

FRAMES = 4


def pictures_of(layout: str, kind: str, seed: int, **changes: object) -> tuple[KindScreen, list[np.ndarray]]:
    chosen = replace(LAYOUTS[layout], **changes)
    loop = SyntheticLoop(seed, "A4C", chosen.echo[2])
    screen = KindScreen(chosen, loop, kind)
    return screen, [screen.compose(loop.frame(n * loop.frames_per_beat // FRAMES)) for n in range(FRAMES)]


@pytest.mark.parametrize("first", [5, 40, 65])
def test_noise_that_evens_out_over_many_frames_stays_echo(first: int) -> None:
    """The brightest values of 32 noisy frames are as even as a panel: then the sector lost its flanks, or was a Doppler
    strip.
    """
    beat = [apical_frame(1 + 0.2 * float(np.sin(2 * np.pi * n / 60)), n) for n in range(60)]
    screens = [jpeg(on_screen(beat[(first + n) % 60], 1280, 720), 90) for n in range(32)]
    sector = SectorTracker().find(screens)
    assert sector.fan is not None
    assert abs(sector.fan.radius - 625) < 6


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("ticks", [(10.0, 5), (5.0, 2), (10.0, 0)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_b_mode_is_found_and_its_ticks_are_right_or_unknown(layout: str, ticks: tuple[float, int]) -> None:
    seed = 300 + 7 * list(LAYOUTS).index(layout) + ticks[1]
    screen, pictures = pictures_of(layout, "b-mode", seed, tick_mm=ticks[0], long_every=ticks[1])
    tracker = SectorTracker()
    found = tracker.find([jpeg(picture, 80) for picture in pictures])
    assert overlap(found.mask, screen.screen.sector) > 0.95
    watch = EchoWatch(found, np.inf)
    assert {watch.look(picture, n / 4) for n, picture in enumerate(pictures)} == {""}
    if LAYOUTS[layout].ticks and ticks[1]:
        assert tracker.scale.sure
    if tracker.scale.sure:
        assert LAYOUTS[layout].ticks
        assert ticks[1] or tracker.scale.is_said
        assert tracker.scale.mm_per_px == pytest.approx(screen.screen.spacing_mm[0], rel=0.01)


@pytest.mark.parametrize("layout", ["screen1", "screen4", "screen5"])
@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        ("spectral", ("SPECTRAL DOPPLER", "M-MODE", "NO SECTOR")),
        ("m-mode", ("SPECTRAL DOPPLER", "M-MODE", "NO SECTOR")),
        ("dual", ("SECOND PICTURE",)),
        ("page", ("NO SECTOR",)),
    ],
)
def test_other_screens_are_refused(layout: str, kind: str, reasons: tuple[str, ...]) -> None:
    _, pictures = pictures_of(layout, kind, 400 + list(LAYOUTS).index(layout))
    with pytest.raises(SourceError) as refusal:
        SectorTracker().find(pictures)
    assert str(refusal.value).split(":")[0] in reasons


@pytest.mark.parametrize("layout", ["screen2", "screen5"])
def test_flow_is_seen_and_held_over_the_beat(layout: str) -> None:
    _, pictures = pictures_of(layout, "colour", 500)
    watch = EchoWatch(SectorTracker().find(pictures), np.inf)
    assert watch.look(pictures[0], 0.0) == COLOUR
    grey = np.repeat(pictures[0].min(2)[..., None], 3, axis=2)
    assert watch.look(grey, 0.9) == COLOUR
    assert watch.look(grey, 1.1) == ""


def test_a_tinted_grey_scale_and_small_coloured_marks_are_no_flow() -> None:
    frame = np.repeat(apical_frame()[..., None], 3, axis=2)
    watch = EchoWatch(find_sector([frame]), np.inf)
    tinted = (frame * np.array([1.0, 0.7, 0.35])).astype(np.uint8)
    assert watch.look(tinted, 0) == ""
    cv2.drawMarker(frame, (200, 200), (0, 255, 0), cv2.MARKER_CROSS, 9, 1)
    assert watch.look(frame, 0) == ""


def test_a_frozen_sector_is_seen_though_the_rest_of_the_screen_moves() -> None:
    screen = on_screen(apical_frame(), 640, 480)
    watch = EchoWatch(find_sector([screen]), STILL_S)
    seen = []
    for number in range(30):
        screen[440:470, 10 * number : 10 * number + 9] = (0, 255, 0)  # an ECG sweeps on
        seen.append(watch.look(screen, number / 30))
    assert seen[0] == ""
    assert seen[-1] == FROZEN
    moved = on_screen(apical_frame(seed=1), 640, 480)
    assert watch.look(moved, 1.0) == ""


def test_the_real_loop_is_measured_on_every_frame(sonosite: str) -> None:
    from pydicom.pixels import pixel_array

    frames = list(pixel_array(sonosite))
    watch = EchoWatch(SectorTracker().find(frames), STILL_S)
    assert {watch.look(frame, number / 30) for number, frame in enumerate(frames)} == {""}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_drawn_in_its_layouts_size_and_seeded(kind: str) -> None:
    (_, one), (_, other) = pictures_of("screen4", kind, 7), pictures_of("screen4", kind, 7)
    assert one[1].shape == (480, 640, 3)
    np.testing.assert_array_equal(one[1], other[1])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SourceError, match="spectral"):
        KindScreen(LAYOUTS["screen4"], SyntheticLoop(0, "A4C", 400), "radar")


def speckle(seed: int, shape: tuple[int, int]) -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(seed).rayleigh(1, shape).astype(np.float32), (0, 0), 2)


@pytest.mark.parametrize("deepest", [1.0, 0.35])
@pytest.mark.parametrize("box", [(110, 50, 530, 430), (60, 30, 420, 450), (200, 100, 560, 420)])
def test_a_linear_probe_is_named_as_such(box: tuple[int, int, int, int], deepest: float) -> None:
    x0, y0, x1, y1 = box
    screens = []
    for seed in range(4):
        fading = np.linspace(1, deepest, y1 - y0)[:, None]
        screen = np.zeros((480, 640), np.uint8)
        screen[y0:y1, x0:x1] = np.clip(speckle(seed, (y1 - y0, x1 - x0)) * 60 * fading, 0, 255)
        screens.append(screen)
    with pytest.raises(SourceError, match="NO SECTOR PROBE"):
        SectorTracker().find(screens)


@pytest.mark.parametrize("degrees", [-24, -18, 18, 24])
def test_a_steered_sector_is_not_taken_for_a_trace(degrees: float) -> None:
    """It is measured or refused, but nobody is sent back to 2D from 2D."""
    upright = [on_screen(apical_frame(1 + 0.2 * float(np.sin(n)), n), 640, 480) for n in range(6)]
    turn = cv2.getRotationMatrix2D((300, 40), degrees, 0.8)
    screens = [cv2.warpAffine(screen[..., :3] if screen.ndim == 3 else screen, turn, (640, 480)) for screen in upright]
    said = ""
    try:
        SectorTracker().find(screens)
    except SourceError as error:
        said = str(error)
    assert not any(word in said for word in ("DOPPLER", "M-MODE", "PROBE"))


@pytest.mark.parametrize("place", [(240, 160, 110), (330, 200, 150)])
def test_a_linear_probe_over_a_dark_ball_is_named_as_such(place: tuple[int, int, int]) -> None:
    """An eye, a cyst or a vessel parts the picture, and most of its rows do not reach both sides."""
    x, y, radius = place
    screens = []
    for seed in range(4):
        screen = np.zeros((480, 640), np.uint8)
        screen[20:450, 120:520] = np.clip(speckle(seed, (430, 400)) * 60, 0, 255)
        cv2.circle(screen, (x + 80, y), radius, 0, -1)
        screens.append(screen)
    with pytest.raises(SourceError, match="NO SECTOR PROBE"):
        SectorTracker().find(screens)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_trace_that_fills_the_screen_is_not_named_a_linear_probe(layout: str) -> None:
    seed = next(s for s in range(50, 90) if is_alone(layout, s))
    for kind, name in (("m-mode", "M-MODE"), ("spectral", "SPECTRAL DOPPLER")):
        _, pictures = pictures_of(layout, kind, seed)
        with pytest.raises(SourceError, match=name):
            SectorTracker().find(pictures)


def is_alone(layout: str, seed: int) -> bool:
    """Whether the strips of this seed stand without a duplex picture."""
    chosen = LAYOUTS[layout]
    return KindScreen(chosen, SyntheticLoop(seed, "A4C", chosen.echo[2]), "spectral").is_alone


def deep_band(seed: int, lit_from: float, lit_to: float) -> np.ndarray:
    """A screen with an upright sector whose echo is bright between two depths and hardly seen elsewhere."""
    y, x = np.mgrid[:480, :640]
    r, angle = np.hypot(x - 320, y - 20), np.abs(np.arctan2(x - 320, y - 20))
    inside = (r < 430) & (angle < 0.68) & (r > 8)
    bright = np.where((r > 430 * lit_from) & (r < 430 * lit_to), 90.0, 9.0) + np.where(r < 60, 60, 0)
    return np.where(inside, np.clip(speckle(seed, (480, 640)) * bright, 0, 255), 0).astype(np.uint8)


@pytest.mark.parametrize("lit", [(0.75, 0.97), (0.55, 0.97), (0.3, 0.6)])
def test_a_bright_band_across_a_sector_is_not_taken_for_a_trace(lit: tuple[float, float]) -> None:
    sector = SectorTracker().find([deep_band(seed, *lit) for seed in range(6)])
    assert sector.fan is not None


@pytest.mark.parametrize("layout", ["screen1", "screen4"])
def test_a_sector_with_its_probe_at_the_bottom_is_found_where_that_is_said(layout: str) -> None:
    screen, pictures = pictures_of(layout, "b-mode", 21)
    found = SectorTracker(upside_down=True).find([np.ascontiguousarray(picture[::-1]) for picture in pictures])
    assert overlap(found.mask, screen.screen.sector[::-1]) > 0.95
    assert found.fan is not None
    assert found.fan.upside_down
    np.testing.assert_array_equal(fan_mask(found.fan, found.mask.shape), found.mask)
