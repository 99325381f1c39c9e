from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import SourceError
from edge.preprocess import grey
from edge.screen.locate import locate
from edge.screen.scale import SURE, find_scale
from edge.screen.sector import Fan, fan_mask, find_sector
from edge.screen.tracker import LOCATE_FRAMES, SectorTracker
from tests.phantom import apical_frame, on_screen, page, sector_mask


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_bare_sector_fills_its_box() -> None:
    sector = find_sector([apical_frame()])
    assert overlap(sector.mask, sector_mask()) > 0.95
    assert sector.fan is not None
    assert sector.fan.half_angle == pytest.approx(0.5, abs=0.04)
    assert sector.box.y <= 4


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1024, 768), (800, 600)])
def test_the_sector_is_found_between_text_ticks_and_bars(width: int, height: int) -> None:
    sector = find_sector([on_screen(apical_frame(), width, height)])
    truth = np.zeros((height, width), np.uint8)
    side = height - 80
    left = (width - side) // 2
    truth[40 : 40 + side, left : left + side] = cv2.resize(sector_mask().astype(np.uint8), (side, side))
    assert overlap(sector.mask, truth > 0) > 0.95


def test_a_region_restricts_the_search() -> None:
    twice = np.hstack([apical_frame(seed=1), apical_frame(seed=2)])
    sector = find_sector([twice], (400, 0, 800, 400))
    assert sector.box.x >= 395


def test_a_dark_flank_is_recovered_by_symmetry() -> None:
    frame = apical_frame()
    frame[150:, 260:] = 0
    sector = find_sector([frame])
    assert overlap(sector.mask, sector_mask()) > 0.8


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("size", [300, 400])
def test_frames_are_only_looked_at(size: int, colour: bool) -> None:
    frames = [apical_frame(seed=seed, size=size) for seed in (1, 2, 3)]
    frames = [cv2.merge([frame] * 3) if colour else frame for frame in frames]
    before = [frame.copy() for frame in frames]
    for frame in frames:
        frame.flags.writeable = False
    find_sector(frames)
    np.testing.assert_array_equal(frames, before)


def test_a_black_screen_says_what_to_check() -> None:
    with pytest.raises(SourceError, match="no ultrasound sector is visible in a 320x240 picture"):
        find_sector([np.zeros((240, 320), np.uint8)])


def test_the_real_loop(sonosite: str) -> None:
    from pydicom.pixels import pixel_array

    frames = list(pixel_array(sonosite))
    # Measured by eye on the maximum over all frames, where the flanks are faintly visible.
    truth = Fan((168.5, 7.0), 14.0, 194.0, np.deg2rad(42.5))
    for region in (None, (42, 15, 298, 208)):
        sector = find_sector(frames, region)
        assert sector.fan is not None
        assert sector.fan.half_angle == pytest.approx(truth.half_angle, abs=0.03)
        assert overlap(sector.mask, fan_mask(truth, (240, 320))) > 0.95


LAYOUTS = {
    "wide sector in the middle": (1280, 720, (640, 60), 0.79, 600, 20),
    "narrow and deep": (1024, 768, (512, 40), 0.5, 690, 10),
    "left of the middle, small": (1920, 1080, (700, 200), 0.7, 700, 30),
    "convex probe": (1280, 960, (640, -60), 0.55, 900, 220),
    "cut off at the sides": (800, 600, (400, 30), 0.95, 540, 12),
    "old analogue screen": (640, 480, (330, 50), 0.75, 390, 12),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_screens_of_several_layouts(layout: str) -> None:
    width, height, apex, half_angle, radius, inner = LAYOUTS[layout]
    truth = Fan(apex, inner, radius, half_angle)
    mask = fan_mask(truth, (height, width))
    rng = np.random.default_rng(0)
    speckle = cv2.GaussianBlur(rng.gamma(2, 30, (height, width)).astype(np.float32), (0, 0), 1.5)
    frame = np.where(mask, np.clip(speckle, 8, 255), 3).astype(np.uint8)
    screen = np.repeat(frame[..., None], 3, axis=2)
    for row, text in enumerate(("CARDIAC", "MI 1.2", "TIS 0.8", "16 cm", "54 Hz")):
        cv2.putText(screen, text, (8, 30 + 30 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (200, 200, 200), 1)
    screen[height // 3 : height // 2, width - 22 : width - 8] = np.linspace(255, 0, height // 2 - height // 3).astype(
        np.uint8
    )[:, None, None]
    cv2.rectangle(screen, (0, height - 24), (width, height), (40, 60, 120), -1)
    mask[height - 24 :] = False
    found = find_sector([screen])
    assert overlap(found.mask, mask) > 0.95


@pytest.mark.parametrize("depth", [1.0, 0.8])
def test_a_change_of_depth_is_noticed_and_located_anew(depth: float) -> None:
    tracker = SectorTracker()
    screens = [on_screen(apical_frame(seed=n), 640, 480) for n in range(LOCATE_FRAMES)]
    for screen in screens:
        sector, news = tracker.update(screen)
    assert news == "found"
    for number in range(2 * LOCATE_FRAMES):
        small = np.zeros((400, 400), np.uint8)
        side = round(400 * depth)
        small[:side, (400 - side) // 2 : (400 - side) // 2 + side] = cv2.resize(apical_frame(seed=number), (side, side))
        screen = on_screen(small, 640, 480)
        if depth != 1:  # the depth scale is drawn anew, too
            screen[:, 560:] = 3
            for tick in range(20):
                cv2.line(screen, (580, 50 + 20 * tick), (600, 50 + 20 * tick), (220, 220, 220), 3)
        sector, _ = tracker.update(screen)
    assert sector is not None
    assert tracker.searches == (1 if depth == 1 else 2)
    assert sector.box.side == pytest.approx(400 * depth, rel=0.06)


def test_a_screen_without_a_sector_says_so_until_there_is_one() -> None:
    tracker, news = SectorTracker(), []
    menu = np.zeros((480, 640, 3), np.uint8)
    cv2.putText(menu, "SETTINGS", (40, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (220, 220, 220), 1)
    for _ in range(3 * LOCATE_FRAMES):
        news.append(tracker.update(menu)[1].split(":")[0])
    assert news == ["LOOKING FOR THE SECTOR"] * (LOCATE_FRAMES - 1) + ["NO SECTOR"] * (2 * LOCATE_FRAMES + 1)
    for number in range(2 * LOCATE_FRAMES):
        sector, said = tracker.update(on_screen(apical_frame(seed=number), 640, 480))
        if sector is not None:
            break
    assert said == "found"


@pytest.mark.parametrize("pages", [1, 16, LOCATE_FRAMES - 1])
def test_a_sector_is_never_of_two_screens(pages: int) -> None:
    """A menu closed in the midst of a search: its text and the echo together looked like one large sector, for good."""
    screens = [on_screen(apical_frame(seed=n), 640, 480) for n in range(LOCATE_FRAMES)]
    mixed = [*map(page, range(pages)), *screens]
    right = find_sector(screens)
    tracker = SectorTracker()
    found = [sector for sector, _ in map(tracker.update, mixed) if sector is not None]
    assert overlap(found[0].mask, right.mask) > 0.98
    assert overlap(SectorTracker().find(mixed).mask, right.mask) > 0.95


def test_a_flash_of_another_screen_starts_the_search_afresh() -> None:
    screens = [on_screen(apical_frame(seed=n), 640, 480) for n in range(2 * LOCATE_FRAMES)]
    tracker = SectorTracker()
    for screen in [*screens[:10], page(0), *screens[10:]]:
        tracker.update(screen)
    assert tracker.sector is not None
    assert overlap(tracker.sector.mask, find_sector(screens[:LOCATE_FRAMES]).mask) > 0.98


def test_a_depth_changed_during_the_search_is_noticed() -> None:
    """Pressed twice in a second, the knob changes the scale again while the sector is still looked for."""
    screens = [on_screen(apical_frame(seed=n), 640, 480) for n in range(3 * LOCATE_FRAMES)]
    for screen in screens[LOCATE_FRAMES // 2 :]:
        screen[50:480, 560:600] = np.roll(screen[50:480, 560:600], 9, axis=0)
        cv2.putText(screen, "12 cm", (20, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (220, 220, 220), 4)
    tracker = SectorTracker()
    news = [tracker.update(screen)[1] for screen in screens]
    assert news.index("found") == 2 * LOCATE_FRAMES - 1


def test_a_beating_heart_is_no_new_screen(sonosite: str) -> None:
    """Shown as fast as a monitor, or few times a second as a scanner in colour mode, or with the gain turned down."""
    from pydicom.pixels import pixel_array

    frames = pixel_array(sonosite)
    for held, gain in ((1, 1.0), (6, 1.0), (24, 1.0), (1, 0.4), (1, 0.25), (1, 0.2)):
        shown = list((frames * gain).astype(np.uint8))
        tracker = SectorTracker()
        news = [tracker.update(shown[n // held % len(shown)])[1] for n in range(LOCATE_FRAMES)]
        assert news[-1] == "found", (held, gain)


def test_a_typed_depth_gives_the_scale() -> None:
    sector = find_sector([apical_frame()])
    assert sector.spacing_from_depth(16)[0] == pytest.approx(160 / (0.97 * 400), rel=0.03)


def test_the_real_ticks_agree_with_the_files_own_scale(sonosite: str) -> None:
    found, picture, _ = locate(sonosite)
    assert found["mm_per_px_from"] == "DICOM region"
    assert found["ticks"]["mm_per_px"] == pytest.approx(1.021, rel=0.01)
    assert found["ticks"]["confidence"] > SURE
    assert picture.shape == (240, 320, 3)


def test_ticks_whose_unit_is_open_are_not_sure() -> None:
    frame = on_screen(apical_frame())
    scale = find_scale(grey(frame), find_sector([frame]))
    assert scale.mm_per_px is None
    assert "type the depth in" in scale.reason


def test_without_ticks_the_scale_is_unknown() -> None:
    frame = apical_frame()
    assert find_scale(frame, find_sector([frame])).mm_per_px is None
