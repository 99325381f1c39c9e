from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.heart.best import Best, rated
from edge.picture.palette import CONTOUR
from edge.sinks import open_sink
from tests.edge.sinks.test_network import shown


def found(kind: str, number: int) -> Best:
    analysis = shown(number).analysis
    assert analysis is not None
    choice = rated(kind, analysis)
    return Best(ed=choice) if kind == "ED" else Best(es=choice)


@pytest.mark.parametrize("both", [True, False])
def test_the_newest_choice_is_drawn_with_contour_and_regions(tmp_path: Path, both: bool) -> None:
    best = replace(found("ED", 7), es=found("ES", 3).es if both else None)
    with open_sink(tmp_path / "run_best.png", 30) as sink:
        sink.write(replace(shown(), best=found("ED", 1)))
        sink.write(replace(shown(), best=best))
        sink.write(shown())  # a banner between frames brings no choice
    picture = cv2.cvtColor(cv2.imread(str(tmp_path / "run_best.png")), cv2.COLOR_BGR2RGB)
    assert picture.shape == (580, 1280 if both else 640, 3)
    for panel in np.split(picture, 2 if both else 1, axis=1):
        assert (np.abs(panel[:520].astype(int) - CONTOUR).max(2) < 12).sum() > 200
        assert (np.ptp(panel[:520].astype(int), axis=2) > 30).sum() > 5000


def test_without_a_beat_there_is_no_file(tmp_path: Path) -> None:
    with open_sink(tmp_path / "run_best.png", 30) as sink:
        sink.write(shown())
    assert not list(tmp_path.iterdir())
