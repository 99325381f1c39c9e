from __future__ import annotations

import pytest

from edge.heart.withhold import NO_VIEW, Withheld
from edge.refine.keyframe import ASKED, FROZEN_FRAME, HOLD_S, KEEP_EVENTS, RefinedFrames, held_record
from edge.sources import Captured
from tests.edge.refine.held import key_frame, refinement
from tests.phantom import apical_frame


def at(time_s: float) -> Captured:
    return Captured(round(30 * time_s), apical_frame(), 0, time_s)


@pytest.mark.parametrize(
    ("kind", "time_s", "events_since", "shown"),
    [
        ("ED", 0.2, 0, True),
        ("ED", HOLD_S, KEEP_EVENTS, True),
        ("ED", HOLD_S + 0.1, 0, False),
        ("ES", 0.2, KEEP_EVENTS + 1, False),
        ("ES", -0.1, 0, False),  # the source began again
        (ASKED, HOLD_S + 0.1, 0, False),
        (FROZEN_FRAME, 600, 0, True),  # it is still what the screen shows
    ],
)
def test_how_long_a_refined_frame_is_shown(kind: str, time_s: float, events_since: int, shown: bool) -> None:
    frames = RefinedFrames()
    frames.put(key_frame(kind, order=5), refinement())
    held = frames.at(at(time_s), 5 + events_since)
    assert (held is not None) == shown
    assert held is None or held.age_s == pytest.approx(time_s)


def test_another_scene_voids_what_is_known_and_what_is_being_computed() -> None:
    frames = RefinedFrames()
    asked = key_frame(scene=frames.scene)
    frames.put(asked, refinement())
    assert frames.at(at(0.1), 0) is not None
    frames.forget()
    assert frames.at(at(0.1), 0) is None
    frames.put(asked, refinement())
    assert frames.at(at(0.1), 0) is None
    assert len(frames.rows) == 1


@pytest.mark.parametrize(("es_order", "paired"), [(6, True), (7, False)])
def test_only_neighbouring_events_make_an_ejection_fraction(es_order: int, paired: bool) -> None:
    frames = RefinedFrames()
    frames.put(key_frame("ED", 0, 5), refinement((1.17, 1.2, 1.23)))
    assert frames.at(at(0.1), 5).ejection_fraction is None
    frames.put(key_frame("ES", 10, es_order), refinement((0.77, 0.8, 0.83)))
    held = frames.at(at(0.5), es_order)
    assert held.refined.key.kind == "ES"
    assert (held.ejection_fraction is not None) == paired
    if paired:
        spread = held.ejection_fraction
        assert spread.low < spread.median < spread.high
        assert spread.median == pytest.approx(
            100 * (1 - (0.8 / 1.2) ** 2), abs=3
        )  # the phantom narrows, its length stays
        record = held_record(held, "")
        assert record["ejection_fraction_percent"]["median"] == pytest.approx(spread.median, abs=0.1)
        assert held_record(held, "x")["ejection_fraction_percent"] is None


def test_a_frame_on_demand_leaves_the_ejection_fraction_where_it_is() -> None:
    frames = RefinedFrames()
    frames.put(key_frame("ED", 0, 5), refinement((1.2, 1.2)))
    frames.put(key_frame("ES", 10, 6), refinement((0.8, 0.8)))
    frames.put(key_frame(ASKED, 12, 6), refinement())
    held = frames.at(at(0.5), 6)
    assert held.refined.key.kind == ASKED
    assert held.ejection_fraction is not None


@pytest.mark.parametrize(
    ("key", "scales", "reason"),
    [
        (key_frame(withheld=Withheld("", "", NO_VIEW)), (1.0, 1.0), NO_VIEW),
        (key_frame(FROZEN_FRAME, known=False), (1.0, 1.0), "nothing is measured on a frozen picture"),
        (key_frame(), (1.0,), "fewer than 2 samples in time"),
        (key_frame(), (0.02, 0.02), "no LV is found"),
    ],
    ids=["view", "frozen", "one sample", "empty"],
)
def test_volumes_are_withheld_with_the_reason(key, scales: tuple[float, ...], reason: str) -> None:
    frames = RefinedFrames()
    frames.put(key, refinement(scales))
    held = frames.at(at(0.0), 0)
    assert held.refined.volumes_ml == ()
    assert held_record(held, "")["withheld"] == reason
