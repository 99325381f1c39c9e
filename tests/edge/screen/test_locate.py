"""`echoedge locate`: the scale from two points, typed or clicked in a real window."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cli import main
from edge.screen.calibration import MIN_APART_PX, depth_from_points
from edge.screen.locate import locate
from edge.screen.profile import load_profile
from edge.screen.sector import find_sector
from edge.screen.tracker import SectorTracker
from edge.sources import open_source
from tests.peers.processes import need, virtual_screen, wait_until
from tests.phantom import apical_frame, on_screen

SCREEN = on_screen(apical_frame())


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def screens(tmp_path: Path) -> dict[str, str]:
    """Files of a screen with ticks of an open unit and of one without ticks."""
    bare = SCREEN.copy()
    bare[:, : find_sector([SCREEN]).mask.any(0).argmax()] = 0
    bare[:, 1280 - find_sector([SCREEN]).mask[:, ::-1].any(0).argmax() :] = 0
    for name, image in (("ticks", SCREEN), ("bare", bare)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    return {name: str(tmp_path / f"{name}.png") for name in ("ticks", "bare")}


def located(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["locate", *arguments]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_two_points_settle_what_the_ticks_stand_for(
    screens: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Ticks stand 36 px apart; five of them are clicked as 50 mm."""
    found = located(capsys, screens["ticks"], "--points", "40,100,40,280", "--distance-mm", "50", "--save", "ward-3")
    assert found["mm_per_px"] == pytest.approx([50 / 180] * 2)
    assert found["mm_per_px_from"] == "clicked"
    profile = load_profile("ward-3")
    assert (profile.tick_mm, profile.depth_cm) == (10.0, 0.0)  # the depth is read from the ticks each time


def test_without_ticks_the_depth_is_kept_and_used(screens: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    found = located(capsys, screens["bare"], "--points", "300,200,300,400", "--distance-mm", "56", "--save", "bare")
    assert load_profile("bare").depth_cm == found["depth_cm"]
    assert main(["run", screens["bare"], "--profile", "bare", "--view", "A4C!", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sector"]["mm_per_px_from"] == "profile"
    assert report["sector"]["mm_per_px"] == pytest.approx([0.28, 0.28], rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--points", "40,100,40,110", "--distance-mm", "50"], f"at least {MIN_APART_PX} px apart"),
        (["--points", "40,100,40,280", "--distance-mm", "5"], "check the distance"),
        (["--points", "40,100,40,280"], "needs their distance"),
        (["--depth-cm", "16", "--distance-mm", "5"], "give one"),
        (["--distance-mm", "50"], "no screen to click on"),
    ],
)
def test_what_cannot_be_measured_says_why(
    screens: dict[str, str],
    arguments: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("tkinter", reason="no Tk (apt-get install python3-tk)")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert main(["locate", screens["ticks"], *arguments]) == 2
    assert says in capsys.readouterr().err


def test_the_depth_from_points_is_the_sectors_own() -> None:
    sector = find_sector([SCREEN])
    mm = sector.spacing_from_depth(16)[0]
    assert depth_from_points((10, 20), (310, 420), 500 * mm, sector) == pytest.approx(16)


def test_points_are_clicked_in_a_window(screens: dict[str, str]) -> None:
    """The first click is wrong and taken back. A picture as wide as the screen but too high for it is shown half as
    large.
    """
    pytest.importorskip("tkinter", reason="no Tk (apt-get install python3-tk)")
    xdotool = need("xdotool", "xdotool")
    with virtual_screen() as environment:
        command = [sys.executable, "-m", "edge.cli", "locate", screens["ticks"], "--distance-mm", "50"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)

        def xdo(*arguments: object) -> str:
            done = subprocess.run(
                [xdotool, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False
            )
            return done.stdout.strip()

        try:
            wait_until(lambda: xdo("search", "--onlyvisible", "--name", "Click two points"), "the window")
            window = xdo("search", "--onlyvisible", "--name", "Click two points").split()[-1]
            for action in ((5, 5), "BackSpace", (20, 50), (20, 140), "Return"):
                if isinstance(action, str):
                    xdo("key", "--delay", 50, action)
                else:
                    xdo("mousemove", "--window", window, *action, "click", 1)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 0, err
    assert np.allclose(json.loads(out)["mm_per_px"], 50 / 180)


def test_the_picture_of_what_was_found_holds_the_sector_and_our_marks_alone() -> None:
    found, picture, _ = locate("synth://a4c?seed=3&layout=screen1&frames=34")
    assert found["ticks"]["count"] > 5
    with open_source("synth://a4c?seed=3&layout=screen1&frames=32") as source:
        sector = SectorTracker(source.region).find([frame.image for frame in source])
    outside = picture[cv2.dilate(sector.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0]
    lit = outside[outside.any(1)]
    assert len(lit) > 50
    assert (lit == (255, 200, 90)).all()  # circles around the ticks
