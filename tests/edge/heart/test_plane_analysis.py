"""What the frame loop makes of the quality net's planes: what it withholds, turns and says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edge.heart.analysis import Analyser, Analysis
from edge.heart.plane import PLANES, Turn
from edge.heart.withhold import UNCERTAIN_VIEW
from edge.nets.manifest import MIRRORED_OUTPUT, UPSIDE_DOWN_OUTPUT, VIEW_OUTPUT
from edge.nets.model import QualityScorer, Segmenter
from edge.postprocess import LA, LV
from edge.screen.calibration import Calibration
from edge.screen.sector import find_sector
from edge.sinks.jsonl import record_of
from edge.sources import Captured
from edge.threads.clock import StageClock
from tests.edge.heart.test_view_analysis import ViewNet
from tests.edge.nets.doubles import SIZE, Net, manifest
from tests.phantom import apical_frame, apical_mask

FRAME = apical_frame()
SECTOR = find_sector([FRAME])
SCORES = np.array([5, 4, 4, 4, 4, 3, 4, 4], np.float32)


class PlaneNet(Net):
    """Scores with the plane `plane`; a picture is mirrored where it is brighter on the left, as `mirror` makes it."""

    def __init__(self) -> None:
        super().__init__(lambda: SCORES)
        self.plane, self.mirrored, self.flips = "A4C", 0.0, False

    def infer(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        picture = inputs["frame"][0, 0].astype(float)
        left_is_brighter = picture[:, : SIZE // 2].sum() > picture[:, SIZE // 2 :].sum()
        return {
            **super().infer(inputs),
            VIEW_OUTPUT: np.array([[name == self.plane for name in PLANES]], np.float32),
            MIRRORED_OUTPUT: np.array([[self.flips and left_is_brighter]], np.float32),
            UPSIDE_DOWN_OUTPUT: np.zeros((1, 1), np.float32),
        }


def analyser(
    view: str = "", insists: bool = False, net: Net | None = None, turn: Turn | None = None
) -> tuple[Analyser, PlaneNet]:
    scorer = PlaneNet()
    segmenter = Segmenter(manifest("segmentation"), net or Net(lambda: apical_mask(size=SIZE)))
    mm = Calibration((0.5, 0.5), "typed in")
    judge = QualityScorer(manifest("quality"), scorer)
    sector = SECTOR.upside_down() if turn is not None and turn.upside_down else SECTOR
    made = Analyser(segmenter, judge, sector, mm, StageClock(), view, insists=insists, turn=turn)
    return made, scorer


def last_of(made: Analyser, frames: int = 60, image: np.ndarray = FRAME) -> Analysis:
    for number in range(frames):
        analysis = made.analyse(Captured(number, image, 0, number / 30))
    return analysis


def test_the_recognised_view_is_measured_without_being_told() -> None:
    analysis = last_of(analyser()[0], 1)  # a still has one frame
    assert analysis.view == "A4C"
    assert analysis.ventricle.volume_ml is not None
    assert analysis.view_probability == pytest.approx(1.0)


@pytest.mark.parametrize("view", ["", "A4C"])
def test_no_apical_view_shows_nothing_and_says_what_it_is(view: str) -> None:
    made, net = analyser(view)
    net.plane = "PSAX"
    analysis = last_of(made, 2)
    assert analysis.invalid == "PARASTERNAL SHORT AXIS: no apical view, nothing is measured"
    assert analysis.regions is None
    assert not analysis.mask.any()
    assert analysis.ventricle.volume_ml is None


def test_another_apical_view_than_the_named_one_withholds_the_volume_unless_insisted() -> None:
    made, net = analyser("A2C")
    assert "looks like A4C" in last_of(made).withheld.volume
    net.plane = "A2C"
    assert last_of(made).ventricle.volume_ml is not None
    insisting, net = analyser("A2C", insists=True)
    net.plane = "PSAX"
    assert last_of(insisting).ventricle.volume_ml is not None


def test_a_segmenter_that_names_another_view_makes_measurements_wait() -> None:
    net = ViewNet()
    net.view = "A2C"
    made, _ = analyser(net=net)
    assert last_of(made).withheld.volume == UNCERTAIN_VIEW
    net.view = "A4C"
    assert last_of(made).ventricle.volume_ml is not None


def test_a_mirrored_picture_is_analysed_upright_and_shown_as_it_is() -> None:
    shade = np.linspace(0.4, 1.0, FRAME.shape[1])
    upright = (FRAME * shade).astype(np.uint8)
    mirrored = np.ascontiguousarray(upright[:, ::-1])
    made, net = analyser()
    net.flips = True
    before = last_of(made, 3, upright)
    again, net = analyser()
    net.flips = True
    after = last_of(again, 3, mirrored)
    assert (before.turn, after.turn) == (Turn(), Turn(mirrored=True))
    assert np.array_equal(again.segmenter.picture, made.segmenter.picture)
    assert np.array_equal(after.mask, before.mask[:, ::-1])
    assert after.ventricle.volume_ml == pytest.approx(before.ventricle.volume_ml)
    assert before.regions is not None
    assert after.regions is not None
    assert after.regions.annulus[0][0] > after.regions.annulus[1][0]  # the septum, on the right now
    assert np.array_equal(after.regions.labels, before.regions.labels[:, ::-1])
    assert record_of(after, 0.0, ())["orientation"] == "mirrored left to right"
    assert {LV, LA} <= set(np.unique(after.mask))


@pytest.mark.parametrize("turn", [Turn(mirrored=True), Turn(upside_down=True), Turn(True, True)])
def test_the_operators_word_turns_the_picture_whatever_the_networks_say(turn: Turn) -> None:
    shade = np.linspace(0.4, 1.0, FRAME.shape[1])
    upright = (FRAME * shade).astype(np.uint8)
    plain, _ = analyser()
    told, net = analyser(turn=turn)
    net.flips = True
    before, after = last_of(plain, 3, upright), last_of(told, 3, np.ascontiguousarray(turn.of(upright)))
    assert after.turn == told.turn == turn
    assert np.array_equal(told.segmenter.picture, plain.segmenter.picture)
    assert np.array_equal(after.mask, turn.of(before.mask))
    assert after.ventricle.volume_ml == pytest.approx(before.ventricle.volume_ml)
    assert before.regions is not None
    assert after.regions is not None
    assert np.array_equal(after.regions.labels, turn.of(before.regions.labels))
