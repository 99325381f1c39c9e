"""Planes and orientation over time: when a picture counts as apical, when it is turned, what is said."""

import numpy as np
import pytest

from edge.heart.plane import PLANES, UPRIGHT, Looked, Plane, PlaneTracker, Turn


def looked(name: str, probability: float = 0.98, mirrored: float = 0.02, upside_down: float = 0.02) -> Looked:
    planes = np.full(len(PLANES), (1 - probability) / (len(PLANES) - 1))
    planes[PLANES.index(name)] = probability
    return Looked(planes=planes, mirrored=mirrored, upside_down=upside_down)


def after(tracker: PlaneTracker, seen: Looked, frames: int = 30) -> Plane:
    for _ in range(frames):
        plane = tracker.update(seen)
    assert plane is not None
    return plane


def test_the_first_frame_stands_for_itself() -> None:
    still = after(PlaneTracker(), looked("A2C"), 1)
    assert (still.name, still.view, still.is_apical, still.problem) == ("A2C", "A2C", True, "")
    assert after(PlaneTracker(), looked("PSAX"), 1).problem.startswith("PARASTERNAL SHORT AXIS: ")


def test_one_odd_frame_changes_nothing_and_a_lasting_change_does() -> None:
    tracker = PlaneTracker()
    after(tracker, looked("A4C"))
    assert after(tracker, looked("PLAX", mirrored=0.9), 1).is_apical
    gone = after(tracker, looked("PLAX"))
    assert (gone.is_apical, gone.view, gone.name) == (False, "", "PLAX")


def test_a_mirrored_picture_is_turned_and_stays_so_while_the_turned_one_looks_upright() -> None:
    tracker = PlaneTracker()
    assert after(tracker, looked("A4C", mirrored=0.97), 1).turn == Turn(mirrored=True)
    assert after(tracker, looked("A4C", mirrored=0.03)).turn == Turn(mirrored=True)  # seen after it was turned
    assert after(tracker, looked("A4C", mirrored=0.97), 9).turn == UPRIGHT  # the button was pressed again


def test_no_apical_view_that_is_certain_is_said() -> None:
    between = Looked(planes=np.full(len(PLANES), 1 / len(PLANES)), mirrored=0.5, upside_down=0.5)
    plane = after(PlaneTracker(), between)
    assert plane.view == ""
    assert plane.problem.startswith("VIEW NOT CERTAIN")


def test_numbers_that_are_not_finite_are_passed_over() -> None:
    tracker = PlaneTracker()
    broken = Looked(planes=np.full(len(PLANES), np.nan), mirrored=0.0, upside_down=0.0)
    assert tracker.update(broken) is None
    before = after(tracker, looked("A3C"))
    assert tracker.update(broken) == before


@pytest.mark.parametrize(
    ("view", "probability", "speaks"), [("A4C", 0.95, False), ("A2C", 0.95, True), ("A2C", 0.7, False)]
)
def test_it_contradicts_the_operator_only_where_it_is_sure(view: str, probability: float, speaks: bool) -> None:
    words = after(PlaneTracker(), looked("A4C", probability)).contradicts(view)
    assert bool(words) == speaks
    assert not words or (f"--view {view}! insists" in words and "A4C" in words)


def test_points_and_pictures_turn_alike() -> None:
    picture = np.zeros((8, 8), np.uint8)
    picture[1, 5] = 9
    for turn in (Turn(mirrored=True), Turn(upside_down=True), Turn(True, True)):
        x, y = turn.points(np.array([[5.0, 1.0]]), 8)[0].astype(int)
        assert turn.of(picture)[y, x] == 9
        assert np.array_equal(turn.of(turn.of(picture)), picture)
    assert str(Turn(True, True)) == "mirrored left to right and upside down"
    assert str(UPRIGHT) == ""
