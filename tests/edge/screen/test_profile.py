from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cli import main
from edge.errors import SourceError
from edge.screen.profile import load_profile, profile_of, save_profile
from edge.screen.sector import find_sector
from edge.screen.tracker import SectorTracker
from tests.phantom import apical_frame, on_screen

SCREEN = on_screen(apical_frame())


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def test_a_saved_screen_is_used_again_and_settles_what_its_ticks_stand_for() -> None:
    tracker = SectorTracker()
    sector = tracker.find([SCREEN])
    assert not tracker.scale.sure  # 0.5 or 1 cm
    mm = 10 / tracker.scale.step_px * 1.02  # a depth typed in whole centimetres
    save_profile(profile_of("ward-3", sector, tracker.scale, mm))
    again = SectorTracker(profile=load_profile("ward-3"))
    found = again.find([SCREEN])
    assert (found.mask & sector.mask).sum() / (found.mask | sector.mask).sum() > 0.99
    assert again.scale.sure
    assert again.scale.mm_per_px == pytest.approx(10 / 36, rel=0.01)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (cv2.resize(SCREEN, (800, 600)), "is for 1280x720, the picture is 800x600"),
        (np.roll(SCREEN, 120, axis=1), "the sector is not where ward-3 has it"),
    ],
)
def test_another_screen_is_refused(other: np.ndarray, message: str) -> None:
    tracker = SectorTracker()
    sector = tracker.find([SCREEN])
    profile = profile_of("ward-3", sector, tracker.scale, None)
    with pytest.raises(SourceError, match=message):
        SectorTracker(profile=profile).find([other])


def test_names_are_checked_and_those_there_are_listed(config_home: Path) -> None:
    sector = find_sector([SCREEN])
    save_profile(profile_of("one", sector, SectorTracker().scale, None))
    with pytest.raises(SourceError, match="saved: one"):
        load_profile("two")
    with pytest.raises(SourceError, match="cannot name a profile"):
        load_profile("../two")
    (config_home / "echoedge" / "profiles" / "bad.json").write_text("{}")
    with pytest.raises(SourceError, match="is no profile"):
        load_profile("bad")


def test_locate_saves_and_says_where(sonosite: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["locate", sonosite, "--save", "sonosite"]) == 0
    printed = json.loads(capsys.readouterr().out)
    profile = load_profile("sonosite")
    assert Path(printed["profile"]).is_file()
    assert (profile.width, profile.height) == (320, 240)
    assert profile.tick_mm in (5.0, 10.0)
    assert main(["run", sonosite, "--profile", "none-such"]) == 2
    assert "there is no profile 'none-such'" in capsys.readouterr().err
