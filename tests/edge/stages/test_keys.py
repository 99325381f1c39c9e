"""What a window's keys do to a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.heart.plane import Turn
from edge.loop import LoopOptions, run_loop
from edge.picture.layout import FOOT_Y, STRIP_Y
from edge.picture.palette import CONTOUR
from edge.sinks import Shown
from edge.sinks.base import Key
from edge.stages.safety import Limits
from tests.edge.nets.doubles import nets
from tests.screens import Clip, screens_of


class Pressed:
    """An output with a keyboard at which keys are pressed with given frames."""

    name = "pressed"

    def __init__(self, presses: dict[int, str]) -> None:
        self.keys: dict[str, Key] = {}
        self.shown: list[Shown] = []
        self._presses = presses

    def write(self, shown: Shown) -> None:
        self.shown.append(replace(shown, picture=shown.picture.copy()))
        assert shown.frame is not None
        key = self._presses.get(shown.frame.number)
        if key:
            self.keys[key].act()


def pressed(
    presses: dict[int, str],
    view: str = "",
    frames: int = 60,
    screen: str = "screen4",
    spacing_mm: tuple[float, float] | None = None,
) -> list[Shown]:
    segmenter, scorer, *_ = nets()
    sink = Pressed(presses)
    limits = Limits(signal_ms=60_000, freeze_ms=60_000, stuck_ms=60_000, age_ms=60_000)
    clip = Clip(screens_of(screen)[0], frames, spacing_mm)
    run_loop(clip, segmenter, scorer, [sink], LoopOptions(view=view, limits=limits))  # type: ignore[list-item]
    return sink.shown


@pytest.mark.parametrize(
    ("view", "seen"), [("A4C", ["A4C", "A2C", "A3C", "A5C"]), ("", ["", "A4C", "A2C", "A3C", "A5C"])]
)
def test_v_takes_the_next_view(view: str, seen: list[str]) -> None:
    shown = pressed(dict.fromkeys(range(5, 10 * len(seen) - 5, 10), "v"), view, 10 * len(seen))
    views = [one.analysis.view for one in shown if one.analysis is not None]
    assert [v for k, v in enumerate(views) if k == 0 or v != views[k - 1]] == seen


def test_p_forgets_what_belongs_to_the_patient_before() -> None:
    plain, cleared = pressed({}), pressed({30: "p"})
    assert plain[29].analysis is not None
    before, after = (cleared[k].analysis for k in (29, 59))
    assert before is not None
    assert after is not None
    curve = [
        (np.abs(picture[STRIP_Y:FOOT_Y].astype(int) - CONTOUR).max(2) < 12).any(0).sum()
        for picture in (c.picture for c in (plain[-1], cleared[-1]))
    ]
    assert 0 < curve[1] < 0.7 * curve[0]


def test_n_writes_names_and_takes_them_away() -> None:
    shown = pressed({20: "n", 40: "n"}, "A4C")
    lit = [int((one.picture[30:530, :640].min(2) > 200).sum()) for one in shown]
    assert max(lit[28:39]) > max(lit[:20]) + 300
    assert max(lit[48:]) < max(lit[:20]) + 300


def test_what_keys_do_is_said_in_words() -> None:
    sink = Pressed({})
    segmenter, scorer, *_ = nets()
    run_loop(Clip(screens_of("screen4")[0], 33), segmenter, scorer, [sink])  # type: ignore[list-item]
    assert set(sink.keys) == {"n", "v", "p", "m", "u", "bracketleft", "bracketright"}
    assert all(key.does for key in sink.keys.values())


def test_m_takes_the_picture_for_mirrored_and_back() -> None:
    shown = pressed({20: "m", 40: "m"}, "A4C")
    analyses = [one.analysis for one in shown if one.analysis is not None]
    turns = [analysis.turn for analysis in analyses]
    assert [turn for k, turn in enumerate(turns) if k == 0 or turn != turns[k - 1]] == [
        Turn(),
        Turn(mirrored=True),
        Turn(),
    ]
    plain, mirrored = analyses[19], analyses[35]
    np.testing.assert_array_equal(mirrored.mask, plain.mask[:, ::-1])


def test_brackets_step_the_depth_from_a_usual_one() -> None:
    presses = {10: "bracketright", 20: "bracketright", 30: "bracketleft", 40: "bracketleft"}
    shown = pressed(presses, "A4C", screen="screen6")
    analyses = [one.analysis for one in shown if one.analysis is not None]
    found = list(dict.fromkeys(analysis.calibration.spacing_mm for analysis in analyses))
    assert found[0] is None
    assert [round(mm[0] / found[1][0], 3) for mm in found[1:] if mm and found[1]] == [1.0, 1.031, 0.969]
    assert analyses[-1].calibration.origin == "typed in"
    assert all(analysis.ventricle.volume_ml is None for analysis in analyses[:9])
    assert analyses[-1].ventricle.volume_ml is not None


def test_no_bracket_outvotes_a_source_that_states_its_scale() -> None:
    shown = pressed({10: "bracketright"}, "A4C", screen="screen6", spacing_mm=(0.4, 0.4))
    assert {one.analysis.calibration.spacing_mm for one in shown if one.analysis is not None} == {(0.4, 0.4)}


def test_a_bracket_insists_against_ticks() -> None:
    shown = pressed({10: "bracketright", 20: "bracketright", 30: "bracketright"}, "A4C")
    found = list(dict.fromkeys(one.analysis.calibration.origin for one in shown if one.analysis is not None))
    assert found == ["ticks", "typed in"]
