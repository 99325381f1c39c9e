"""A network with memory and views in the frame loop: when it forgets, what its view allows, what the outputs say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.heart.analysis import Analyser
from edge.heart.regions import region_names
from edge.heart.view import VIEWS
from edge.heart.withhold import UNCERTAIN_VIEW
from edge.nets.manifest import VIEW_OUTPUT, Port
from edge.nets.model import QualityScorer, Segmenter
from edge.screen.calibration import Calibration
from edge.screen.sector import Sector, find_sector
from edge.sinks.jsonl import record_of
from edge.sources import Captured
from edge.threads.clock import StageClock
from tests.edge.nets.doubles import SIZE, Net, manifest, nets
from tests.phantom import apical_frame, apical_mask


class ViewNet(Net):
    """The phantom's mask, as wide as `scale`, and the view `view`; counts how often it was told to forget."""

    def __init__(self) -> None:
        super().__init__(lambda: apical_mask(self.scale, SIZE))
        self.scale, self.view, self.resets = 1.0, "A4C", 0

    def infer(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        view = np.array([[name == self.view for name in VIEWS]], np.float32)
        return {**super().infer(inputs), VIEW_OUTPUT: view}

    def reset(self) -> None:
        self.resets += 1


def analyser(view: str = "") -> tuple[Analyser, ViewNet]:
    net = ViewNet()
    facts = manifest("segmentation")
    state = (Port("h", (1, 1), "float32", "memory"), Port("h.next", (1, 1), "float32", "memory"))
    facts = msgspec.structs.replace(facts, inputs=(*facts.inputs, state[0]), outputs=(*facts.outputs, state[1]))
    scorer: QualityScorer = nets()[1]
    made = Analyser(Segmenter(facts, net), scorer, SECTOR, MM, StageClock(), view)
    return made, net


FRAME = np.repeat(apical_frame()[..., None], 3, axis=2)
SECTOR: Sector = find_sector([FRAME])


MM = Calibration((0.5, 0.5), "typed in")


def captured(number: int, image: np.ndarray = FRAME) -> Captured:
    return Captured(number, image, 0, number / 30)


def beat(made: Analyser, net: ViewNet, first: int, count: int = 90) -> Any:
    for number in range(first, first + count):
        net.scale = 0.85 + 0.15 * np.cos(number / 15 * 2 * np.pi)
        last = made.analyse(captured(number))
    return last


def test_it_forgets_at_the_start_and_when_the_scene_changes_only() -> None:
    made, net = analyser()
    start = net.resets
    assert start >= 1
    for number in range(4):
        made.analyse(captured(number))
    assert net.resets == start
    made.analyse(captured(4, np.ascontiguousarray(np.roll(FRAME, 150, axis=0)[::-1])))
    assert net.resets == start + 1


@pytest.mark.parametrize(
    ("seen", "given", "names", "measured"),
    [
        ("A4C", "", "A4C", True),
        ("A3C", "", "A3C", False),
        ("A3C", "A2C", "A2C", True),
        ("A2C", "A3C", "A3C", False),
    ],
)
def test_the_view_names_walls_and_gates_volumes(seen: str, given: str, names: str, measured: bool) -> None:
    made, net = analyser(given)
    net.view = seen
    last = beat(made, net, 0)
    assert last.view == names
    assert (last.ventricle.volume_ml is not None) == measured
    assert (last.heart.ef_percent is not None) == measured
    assert ("volume needs A4C or A2C" in last.withheld.volume) != measured
    record = record_of(last, 0.0, region_names(""))
    assert tuple(record["quality"]) == region_names(names)
    assert record["view"] == names


def test_biplane_after_both_views() -> None:
    made, net = analyser()
    assert beat(made, net, 0).heart.biplane is None
    net.view = "A2C"
    last = beat(made, net, 90, 150)
    assert last.view == "A2C"
    assert last.heart.biplane is not None
    assert last.heart.biplane.edv_ml > last.heart.biplane.esv_ml > 0
    assert record_of(last, 0.0, region_names(""))["heart"]["biplane"]["ef_percent"] == pytest.approx(
        last.heart.biplane.ef_percent, abs=0.06
    )


def test_a_view_that_is_not_certain_gives_no_volume() -> None:
    made, net = analyser()
    net.view = "none of them"
    last = beat(made, net, 0, 30)
    assert last.view == ""
    assert last.withheld.volume == UNCERTAIN_VIEW
    assert last.ventricle.volume_ml is None


def test_without_a_classifier_the_operator_answers_for_the_view() -> None:
    segmenter, scorer, _, _ = nets()
    for view, gated in (("", True), ("A4C", False), ("A3C", True)):
        made = Analyser(segmenter, scorer, SECTOR, MM, StageClock(), view)
        last = made.analyse(captured(0))
        assert last.view == view
        assert last.view_probability is None
        assert bool(last.withheld.volume) == gated
