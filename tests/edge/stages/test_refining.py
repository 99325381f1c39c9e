"""The refine lane in the loop: what is refined, what it may never hold up, when it goes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import EchoEdgeError, ModelError
from edge.heart.beats import BeatDetector, Event
from edge.loop import LoopOptions, run_loop
from edge.refine.keyframe import ASKED, FROZEN_FRAME, PLAIN
from edge.report import Report
from edge.screen.known import KnownScreen
from edge.sinks import Shown, open_sink
from edge.sources import open_source
from edge.stages.refining import Refine, Refining, opened_refine
from tests.edge.nets.doubles import nets, refiner
from tests.edge.refine.held import key_frame
from tests.edge.stages.doubles import shared
from tests.edge.test_loop import PATIENT, Screens, silent, still
from tests.peers.processes import wait_until
from tests.phantom import apical_frame, apical_mask, on_screen


def scale_of(number: int) -> float:
    """The phantom's width: a beat every 25 frames."""
    return 1 + 0.2 * float(np.cos(number / 4))


@pytest.fixture(scope="module")
def beats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three beats of the phantom as pictures."""
    folder = tmp_path_factory.mktemp("beats")
    for number in range(84):
        cv2.imwrite(str(folder / f"{number:03d}.png"), on_screen(apical_frame(scale_of(number), number), 640, 480))
    return folder


def answers(segment_net: object) -> Callable[[], np.ndarray]:
    """The phantom's mask of each call in turn."""
    masks = [apical_mask(scale_of(number), 96) for number in range(84)]
    return lambda: masks[(segment_net.calls - 1) % 84]


def analysed(beats: Path, out: Path, refine: Refine, view: str = "A4C") -> tuple[Report, list[dict]]:
    segmenter, scorer, segment_net, _ = nets()
    segment_net.answer = answers(segment_net)
    with open_source(str(beats)) as source, open_sink(out, source.fps) as sink:
        options = LoopOptions(view=view, limits=PATIENT, screen=KnownScreen(depth_cm=16), refine=refine)
        report = run_loop(source, segmenter, scorer, [sink], options)
    return report, [json.loads(line) for line in out.read_text().splitlines()]


def test_every_event_of_a_recording_is_refined_and_the_results_repeat(beats: Path, tmp_path: Path) -> None:
    runs = []
    for name in ("one", "two"):
        report, lines = analysed(beats, tmp_path / f"{name}.jsonl", Refine(refiner()[0], samples=5))
        runs.append(([{k: v for k, v in line.items() if k != "age_ms"} for line in lines], report.refined))
    assert runs[0] == runs[1]
    lines, rows = runs[0]
    assert len(rows) >= 5
    assert [row["kind"] for row in rows] == [e["kind"] for e in report.events]
    # A mark is fitted between frames: the frame that is refined is the one beside it that was kept.
    assert all(abs(row["frame"] - event["frame"]) <= 1 for row, event in zip(rows, report.events))
    assert all(row["samples"] == 5 and row["volume_ml"] for row in rows)
    confirming = [line for line in lines if line["event"]]
    assert all(abs(line["refined"]["frame"] - line["event"]["frame"]) <= 1 for line in confirming)
    spreads = [row["ejection_fraction_percent"] for row in rows]
    assert spreads[0] is None
    for spread in spreads[1:]:
        assert spread["low"] < spread["median"] < spread["high"]
        assert spread["median"] == pytest.approx(100 * (1 - (0.8 / 1.2) ** 2), abs=8)


def test_without_a_view_volumes_are_withheld_but_the_border_is_not(beats: Path, tmp_path: Path) -> None:
    report, lines = analysed(beats, tmp_path / "x.jsonl", Refine(refiner()[0]), view="")
    assert all(row["volume_ml"] is None and row["lv_area_px"] > 0 for row in report.refined)
    assert {row["withheld"] for row in report.refined} == {"view unknown: give --view"}
    assert not any(line["refined"] and line["refined"]["ejection_fraction_percent"] for line in lines)


def test_the_model_itself_and_every_frame(refine_folder: Path, tmp_path: Path) -> None:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), on_screen(apical_frame(seed=number), 640, 480))
    with opened_refine("always", str(refine_folder), samples=2) as refine:
        report, lines = analysed(tmp_path, tmp_path / "x.jsonl", refine)
    assert [line["refined"]["frame"] for line in lines] == [0, 1, 2, 3]
    assert {row["kind"] for row in report.refined} == {PLAIN}
    assert report.latency_ms["refine"]["p50"] > 0


def test_what_cannot_be_opened_says_how_to_make_it(tmp_path: Path) -> None:
    with opened_refine("off", "nowhere") as refine:
        assert refine is None
    with pytest.raises(
        ModelError, match=r"neither a model folder nor the name of a model; the models here are echo-dnd"
    ):
        opened_refine("keyframes", str(tmp_path / "echo-dnd")).__enter__()
    with pytest.raises(EchoEdgeError, match="--refine-samples 1 cannot show uncertainty"):
        opened_refine("keyframes", "nowhere", 1).__enter__()


class Keys:
    """A sink with a keyboard that remembers what it was shown."""

    name = "keys"

    def __init__(self) -> None:
        self.keys: dict[str, Callable[[], None]] = {}
        self.kind, self.banner, self.pictures = "", "", 0

    def write(self, shown: Shown) -> None:
        self.kind = shown.refined.refined.key.kind if shown.refined else ""
        self.banner = shown.banner
        self.pictures += 1


class Live:
    """A live loop with the lane on a thread of its own, ended with the block."""

    def __init__(self) -> None:
        self.source, self.sink, self.report = Screens(), Keys(), None
        self.limits = PATIENT
        segmenter, scorer, *_ = nets()
        made, self.denoiser = refiner()

        def work() -> None:
            options = LoopOptions(limits=self.limits, deadline_ms=10_000, refine=Refine(made, 2))
            self.report = run_loop(self.source, segmenter, scorer, [self.sink], options)  # type: ignore[arg-type]

        self._thread = threading.Thread(target=work)

    def __enter__(self) -> Live:
        self._thread.start()
        wait_until(lambda: self.sink.pictures > 2 and not self.sink.banner, "the overlay")
        return self

    def __exit__(self, *_: object) -> None:
        self.denoiser.free.set()
        self.source.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def ask(self) -> None:
        self.sink.keys["r"].act()


def test_a_key_refines_the_present_frame_and_it_grows_old() -> None:
    with Live() as live:
        live.ask()
        wait_until(lambda: live.sink.kind == ASKED, "the refined frame")
        wait_until(lambda: live.sink.kind == "", "its end")
    assert live.report.refined[0]["kind"] == ASKED
    assert "key frames" not in live.report.dropped


def test_a_hanging_model_holds_up_no_frame_and_the_newest_key_frame_wins() -> None:
    with Live() as live:
        live.denoiser.free.clear()
        for _ in range(3):
            seen = live.sink.pictures
            live.ask()
            wait_until(lambda seen=seen: live.sink.pictures > seen + 3, "more pictures")
        assert live.denoiser.calls == 1
        assert not live.sink.banner
        live.denoiser.free.set()
        wait_until(lambda: live.sink.kind == ASKED, "the refined frame")
    assert live.report.dropped["key frames"] == 1


def test_the_lane_has_a_thread_of_lower_priority_to_itself() -> None:
    with Live() as live:
        live.ask()
        wait_until(lambda: live.sink.kind == ASKED, "the refined frame")
        (thread,) = set(live.denoiser.threads)
        assert os.sched_getscheduler(thread) == os.SCHED_IDLE
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize(("spare", "asked", "calls"), [(True, False, 2), (False, False, 0), (False, True, 2)])
def test_while_service_is_cut_only_what_is_asked_for_is_refined(spare: bool, asked: bool, calls: int) -> None:
    made, denoiser = refiner()
    key = key_frame().analysis
    assert key is not None
    with Refining(Refine(made, 2), shared()) as lane:
        if asked:
            lane.ask()
        lane.analysed(replace(key, event=Event(kind="ED", frame=0, time_s=0.0, area=1.0)), BeatDetector(), key, spare)
    assert denoiser.calls == calls


def test_a_model_that_fails_is_left_out_of_a_live_run() -> None:
    with Live() as live:
        live.denoiser.fault = ValueError("out of memory")
        live.ask()
        wait_until(lambda: live.denoiser.calls == 1, "the failure")
        seen = live.sink.pictures
        live.ask()
        wait_until(lambda: live.sink.pictures > seen + 5, "more pictures")
        assert not live.sink.banner
    assert live.denoiser.calls == 1


def test_a_model_that_fails_stops_refining_and_nothing_else(beats: Path, tmp_path: Path) -> None:
    made, denoiser = refiner()
    denoiser.fault = ValueError("out of memory")
    report, lines = analysed(beats, tmp_path / "x.jsonl", Refine(made))
    assert report.stopped == {"key frames": "out of memory"}
    assert len(lines) == report.frames_processed == 84
    assert denoiser.calls == 1


def test_numbers_that_are_not_finite_are_never_shown(beats: Path, tmp_path: Path) -> None:
    made, denoiser = refiner()
    denoiser.infer = lambda inputs: {"probability": np.full((1, 1, 96, 96), np.nan, np.float32)}  # type: ignore[method-assign]
    report, lines = analysed(beats, tmp_path / "x.jsonl", Refine(made))
    assert report.refined == []
    assert not any(line["refined"] for line in lines)


def test_a_frozen_picture_is_refined_once_and_goes_when_the_picture_moves() -> None:
    live = Live()
    live.limits = replace(PATIENT, freeze_ms=150)
    with live:
        live.source.change = still
        wait_until(lambda: live.sink.kind == FROZEN_FRAME, "the refined picture")
        assert live.sink.banner.startswith("PICTURE FROZEN")
        seen, calls = live.sink.pictures, live.denoiser.calls
        wait_until(lambda: live.sink.pictures > seen + 10, "more of it")
        assert live.denoiser.calls == calls
        live.source.change = lambda frame: frame
        wait_until(lambda: live.sink.kind == "" and not live.sink.banner, "the overlay")


def test_a_lost_signal_takes_the_refined_frame_along() -> None:
    live = Live()
    live.limits = replace(PATIENT, signal_ms=300)
    with live:
        live.ask()
        wait_until(lambda: live.sink.kind == ASKED, "the refined frame")
        live.source.change = silent
        wait_until(lambda: live.sink.banner.startswith("NO SIGNAL"), "the banner")
        assert live.sink.kind == ""
        seen = live.sink.pictures
        live.source.change = lambda frame: frame
        wait_until(lambda: live.sink.pictures > seen + 2 and not live.sink.banner, "the overlay")
        assert live.sink.kind == ""
