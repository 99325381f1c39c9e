"""A patient's beats in a run: what a freeze, another view, another layout and a new patient leave of them."""

from __future__ import annotations

import numpy as np
import pytest

from edge.screen.known import KnownScreen
from edge.sources import Captured
from edge.stages.ending import Ending
from edge.stages.finished import Finished
from edge.stages.inference import Inference
from edge.stages.safety import Guard, Limits
from edge.stages.screening import Screening
from edge.stages.shared import Shared
from edge.stated import Stated
from edge.threads.clock import StageClock
from edge.threads.realtime import Realtime
from tests.edge.nets.doubles import SIZE, nets
from tests.phantom import apical_frame, apical_mask, on_screen

FPS = 30
LIMITS = Limits(signal_ms=500, freeze_ms=300, stuck_ms=5000, age_ms=1e15, recover_frames=1)
PICTURES = [on_screen(apical_frame(seed=n), 640, 480) for n in range(4)]
WIDE = [on_screen(apical_frame(seed=n), 800, 600) for n in range(4)]


class Source:
    """What a live source says of itself; the frames are handed over by the test."""

    uri, fps, frames, region = "test", float(FPS), None, None
    stated, damaged = Stated((0.5, 0.5), "test"), 0


class Room:
    """A live run at one beat a second, frame by frame; the double's LV beats whatever the picture shows."""

    def __init__(self, view: str = "A4C") -> None:
        segmenter, scorer, self.net, _ = nets()
        shared = Shared(
            source=Source(),  # type: ignore[arg-type]
            guard=Guard(LIMITS, live=True),
            clock=StageClock(),
            realtime=Realtime(),
            ending=Ending(),
        )
        screening = Screening(shared, KnownScreen())
        self.inference = Inference(
            shared, segmenter=segmenter, scorer=scorer, screening=screening, view=view, deadline_ms=1e9
        )
        self.number = 0

    def watch(self, seconds: float, pictures: list[np.ndarray] = PICTURES, frozen: bool = False) -> Finished:
        for _ in range(round(seconds * FPS)):
            phase = self.number / FPS % 1
            into = phase / 0.4 if phase < 0.4 else (1 - phase) / 0.6
            mask = apical_mask(1 - 0.1 * (1 - np.cos(np.pi * into)), SIZE)
            self.net.answer = lambda mask=mask: mask
            image = pictures[0 if frozen else self.number % len(pictures)]
            time_s = self.number / FPS
            finished = self.inference.process(Captured(self.number, image, round(1e9 * (1 + time_s)), time_s))
            self.number += 1
        assert finished is not None
        return finished


@pytest.fixture(scope="module")
def seen() -> Room:
    """A4C for some beats."""
    room = Room()
    room.watch(5.5)
    return room


def test_beats_outlive_a_freeze_and_give_biplane_with_the_next_view(seen: Room) -> None:
    before = seen.watch(0.1).analysis
    assert before is not None
    assert before.heart.ef_percent is not None
    assert before.heart.biplane is None
    frozen = seen.watch(1.0, frozen=True)
    assert frozen.analysis is None
    assert frozen.banner
    seen.inference.use_view("A2C")
    back = seen.watch(0.5).analysis
    assert back is not None
    assert back.view == "A2C"
    assert back.heart.view == "A4C"
    assert back.heart.ef_percent is not None
    assert back.heart.ef_percent.median == pytest.approx(before.heart.ef_percent.median, abs=0.1)
    assert back.heart.age_s > before.heart.age_s
    later = seen.watch(4.0).analysis
    assert later is not None
    assert later.heart.view == "A2C"
    assert later.heart.biplane is not None
    assert later.heart.biplane.ef_percent == pytest.approx(100 * (1 - 0.8**2), abs=4)
    other = seen.watch(3.0, WIDE).analysis
    assert other is not None
    assert other.heart.biplane is not None
    assert seen.inference.record.heart.biplane == other.heart.biplane


def test_a_new_patient_has_no_beats() -> None:
    room = Room()
    room.watch(4.5)
    assert room.inference.record.beats
    room.inference.new_patient()
    first = room.watch(0.1).analysis
    assert first is not None
    assert first.heart.ef_percent is None
    assert first.heart.biplane is None
    assert not room.inference.record.marks
    again = room.watch(4.0).analysis
    assert again is not None
    assert again.heart.ef_percent is not None


def test_a_cut_keeps_what_was_finished() -> None:
    room = Room()
    room.watch(4.5)
    assert room.inference.analyser is not None
    room.inference.analyser.forget()
    kept = room.watch(0.3).analysis
    assert kept is not None
    assert kept.heart.ef_percent is not None


def test_the_end_of_a_recording_closes_its_last_beat() -> None:
    room = Room()
    room.watch(3.4)  # ends at ES
    count = len(room.inference.record.marks)
    room.inference.finish()
    assert len(room.inference.record.marks) >= count
    assert room.inference.record.heart.ef_percent is not None
