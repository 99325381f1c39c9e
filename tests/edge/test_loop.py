"""The loop with faults put in: what is shown, what is withheld, what is counted."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import pytest

from edge.errors import SourceError
from edge.loop import LoopOptions, run_loop
from edge.picture.layout import HEAD, LEGEND_Y
from edge.picture.palette import CONTOUR
from edge.report import Report
from edge.screen.known import KnownScreen
from edge.sinks import Shown, open_sink
from edge.sources import Captured, open_source
from edge.sources.paced import Paced
from edge.stages.inference import Inference
from edge.stages.ladder import LADDER
from edge.stages.safety import Limits
from edge.stages.screening import Screening
from edge.stated import Stated
from tests.edge.nets.doubles import nets
from tests.edge.stages.doubles import shared
from tests.peers.processes import wait_until
from tests.phantom import apical_frame, on_screen, page

PATIENT = Limits(signal_ms=5000, freeze_ms=5000, stuck_ms=5000, age_ms=5000, recover_frames=2)
"""Nothing trips because this machine is busy; a test tightens what it is about."""


class Screens:
    """A live source of phantom screens at about 50 fps until stopped; `change` alters the frame, None sends nothing."""

    uri, fps, frames, region = "test", 50.0, None, None
    stated, damaged = Stated((0.5, 0.5), "test"), 0

    def __init__(self, change: Callable[[np.ndarray], np.ndarray | None] = lambda frame: frame) -> None:
        self.change, self.status, self.reconnects = change, "", 0
        self._stopped = threading.Event()
        self._pictures = [on_screen(apical_frame(seed=n), 640, 480) for n in range(8)]

    def __iter__(self) -> Iterator[Captured]:
        number = 0
        while not self._stopped.wait(0.02):
            image = self.change(self._pictures[number % 8].copy())
            if image is not None:
                yield Captured(number, image, time.monotonic_ns(), number / 50)
            number += 1

    def stop(self) -> None:
        self._stopped.set()

    def __enter__(self) -> Screens:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Watcher:
    """A sink that remembers whether the newest picture carries an overlay, and its banner."""

    name = "watcher"

    def __init__(self) -> None:
        self.banner, self.contour, self.pictures = "", False, 0

    def write(self, shown: Shown) -> None:
        panels = shown.picture[HEAD:LEGEND_Y].astype(int)
        self.contour = bool((np.abs(panels - CONTOUR).max(2) < 12).sum() > 50)
        self.banner = shown.banner
        self.pictures += 1
        assert not (self.contour and self.banner)  # never both


class Run:
    """A loop on a thread of its own, ended with the block."""

    def __init__(self, source: Screens, sinks: list[object], limits: Limits = PATIENT) -> None:
        self.segmenter, self.scorer, self.segment_net, self.score_net = nets()
        self.report: Report | None = None
        self._source = source
        options = LoopOptions(limits=limits, deadline_ms=10_000)

        def work() -> None:
            self.report = run_loop(source, self.segmenter, self.scorer, sinks, options)  # type: ignore[arg-type]

        self._thread = threading.Thread(target=work)

    def __enter__(self) -> Run:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.segment_net.free.set()
        self._source.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()


def black(frame: np.ndarray) -> np.ndarray:
    return np.zeros_like(frame)


def blue(frame: np.ndarray) -> np.ndarray:
    return np.full_like(frame, (0, 0, 220))


def silent(frame: np.ndarray) -> None:
    return None


def still(frame: np.ndarray) -> np.ndarray:
    return STILL


def menu(frame: np.ndarray) -> np.ndarray:
    return page(next(PAGES))


PAGES = itertools.count()
STILL = on_screen(apical_frame(seed=3), 640, 480)


@pytest.mark.parametrize(
    ("fault", "limits", "banner"),
    [
        (black, PATIENT, "BLACK PICTURE"),
        (blue, PATIENT, "NO PICTURE"),
        (silent, replace(PATIENT, signal_ms=150), "NO SIGNAL"),
        (still, replace(PATIENT, freeze_ms=150), "PICTURE FROZEN"),
        (menu, PATIENT, "NO SECTOR"),
    ],
)
def test_a_fault_takes_the_overlay_away_and_its_end_brings_it_back(
    fault: Callable[[np.ndarray], np.ndarray | None], limits: Limits, banner: str
) -> None:
    source, watcher = Screens(), Watcher()
    with Run(source, [watcher], limits) as run:
        wait_until(lambda: watcher.contour, "the overlay")
        source.change = fault
        wait_until(lambda: watcher.banner.startswith(banner), banner)
        assert not watcher.contour
        source.change = lambda frame: frame
        wait_until(lambda: watcher.contour, "the overlay's return")
    assert run.report is not None
    assert banner.lower() in run.report.safe_states


def test_a_stuck_network_is_noticed_while_it_hangs() -> None:
    source, watcher = Screens(), Watcher()
    with Run(source, [watcher], replace(PATIENT, stuck_ms=150)) as run:
        wait_until(lambda: watcher.contour, "the overlay")
        run.segment_net.free.clear()
        wait_until(lambda: watcher.banner.startswith("ANALYSIS STUCK"), "the banner")
        assert not watcher.contour
        run.segment_net.free.set()
        wait_until(lambda: watcher.contour, "the overlay's return")


@pytest.mark.parametrize("net", ["segment", "score"])
def test_invalid_output_is_never_drawn(net: str) -> None:
    source, watcher = Screens(), Watcher()
    with Run(source, [watcher]) as run:
        wait_until(lambda: watcher.contour, "the overlay")
        chosen = run.segment_net if net == "segment" else run.score_net
        good, bad = chosen.answer, chosen.answer().copy()
        bad[:] = 200 if net == "segment" else np.nan
        chosen.answer = lambda: bad
        wait_until(lambda: watcher.banner.startswith("INVALID OUTPUT"), "the banner")
        chosen.answer = good
        wait_until(lambda: watcher.contour, "the overlay's return")


def test_a_new_format_is_located_anew() -> None:
    source, watcher = Screens(), Watcher()
    with Run(source, [watcher]) as run:
        wait_until(lambda: watcher.contour, "the overlay")
        source.change = lambda frame: cv2.resize(frame, (800, 600))
        wait_until(lambda: watcher.banner.startswith("LOOKING FOR THE SECTOR"), "the search")
        wait_until(lambda: watcher.contour, "the overlay's return")
    assert run.report is not None
    assert run.report.sector["side"] > 450


class Slow:
    """An output that takes for ever, and one that fails."""

    name = "slow"

    def __init__(self) -> None:
        self.free = threading.Event()

    def write(self, shown: Shown) -> None:
        assert self.free.wait(60)


class Dead:
    name = "dead"

    def write(self, shown: Shown) -> None:
        raise OSError("the disk is full")


def test_a_slow_or_dead_output_holds_up_nobody() -> None:
    source, watcher, slow = Screens(), Watcher(), Slow()
    with Run(source, [slow, Dead(), watcher]) as run:
        wait_until(lambda: watcher.contour, "the overlay")
        seen = watcher.pictures
        wait_until(lambda: watcher.pictures > seen + 10, "ten more pictures")
        slow.free.set()
    assert run.report is not None
    assert run.report.dropped["output slow"] > 0
    assert run.report.stopped == {"output dead": "the disk is full"}
    assert run.report.ended == "source over"


def test_the_picture_says_what_has_stopped(tmp_path: Path) -> None:
    heads: list[str] = []

    class Heads(Watcher):
        def write(self, shown: Shown) -> None:
            heads.append(shown.head.notice)

    with Run(Screens(), [Dead(), Heads()]):
        wait_until(lambda: heads and heads[-1] == "output dead stopped: the disk is full", "the notice")


def test_a_network_that_raises_costs_the_overlay_and_not_the_run() -> None:
    source, watcher = Screens(), Watcher()
    with Run(source, [watcher]) as run:
        wait_until(lambda: watcher.contour, "the overlay")
        good = run.segment_net.answer

        def raises() -> np.ndarray:
            raise RuntimeError("the device is gone")

        run.segment_net.answer = raises
        wait_until(lambda: watcher.banner.startswith("ANALYSIS FAILED: the device is gone"), "the banner")
        run.segment_net.answer = good
        wait_until(lambda: watcher.contour, "the overlay's return")
    assert run.report is not None
    assert set(run.report.failed) == {"the device is gone"}
    assert run.report.ended == "source over"


class Breaks:
    """A recording that ends in an error after some frames."""

    def __init__(self, frames: int) -> None:
        self._source, self._frames = open_source("synth://a4c?seed=3&frames=60"), frames
        for name in ("uri", "fps", "frames", "region", "stated", "damaged"):
            setattr(self, name, getattr(self._source, name))

    def __iter__(self) -> Iterator[Captured]:
        yield from itertools.islice(self._source, self._frames)
        raise SourceError("the stick was pulled out")


def test_an_error_late_in_a_source_costs_nothing_before_it(tmp_path: Path) -> None:
    segmenter, scorer, *_ = nets()
    with open_sink(tmp_path / "x.mp4", 30) as video, open_sink(tmp_path / "x.jsonl", 30) as lines:
        report = run_loop(Breaks(45), segmenter, scorer, [video, lines])  # type: ignore[arg-type]
    assert (report.ended, report.failure, report.frames_processed) == ("failed", "the stick was pulled out", 45)
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 45
    with open_source(str(tmp_path / "x.mp4")) as source:
        assert sum(1 for _ in source) == 45


def test_an_error_before_the_first_frame_is_raised_and_leaves_no_file(tmp_path: Path) -> None:
    segmenter, scorer, *_ = nets()
    with pytest.raises(SourceError, match="pulled out"), open_sink(tmp_path / "x.mp4", 30) as sink:
        run_loop(Breaks(0), segmenter, scorer, [sink])  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_recording_can_be_recorded_and_replays_to_the_same_results(tmp_path: Path) -> None:
    results = []
    for source_uri, record in (
        ("synth://a4c?seed=3&frames=40", str(tmp_path / "kept.mkv")),
        (str(tmp_path / "kept.mkv"), ""),
    ):
        segmenter, scorer, *_ = nets()
        path = tmp_path / f"{len(results)}.jsonl"
        with open_source(source_uri) as source, open_sink(path, source.fps) as sink:
            run_loop(source, segmenter, scorer, [sink], LoopOptions(record=record))
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        results.append([{k: v for k, v in line.items() if k != "age_ms"} for line in lines])
    assert len(results[0]) == 40
    assert results[0] == results[1]


def test_the_quality_net_runs_whichever_frames_are_left_out() -> None:
    """Frames left out by twos and scored by tens: the numbers that remain may all be odd."""
    segmenter, scorer, *_ = nets()
    together = shared(live=False)
    stage = Inference(
        together,
        segmenter=segmenter,
        scorer=scorer,
        screening=Screening(together, KnownScreen()),
        view="",
        deadline_ms=1e4,
    )
    rung = LADDER[3]
    due = [stage._scores_are_due(Captured(n, STILL, 0, n / 30), rung) for n in range(1, 301, 2)]
    assert 28 <= sum(due) <= 30
    slow = [stage._scores_are_due(Captured(n, STILL, 0, 20 + n / 2), rung) for n in range(301, 321, 2)]
    assert all(slow)  # a second apart


def test_a_recorded_live_run_replays_to_the_same_results(tmp_path: Path) -> None:
    for number in range(60):
        scale = 1 + 0.2 * np.sin(number / 6)
        cv2.imwrite(str(tmp_path / f"{number:03d}.png"), on_screen(apical_frame(scale, number), 640, 480))
    results = []
    options = LoopOptions(
        limits=PATIENT, deadline_ms=10_000, screen=KnownScreen(depth_cm=16), record=str(tmp_path / "out/live.mkv")
    )
    for name in ("live", "again"):
        segmenter, scorer, *_ = nets()
        source = Paced(open_source(str(tmp_path))) if name == "live" else open_source(options.record)
        with source, open_sink(tmp_path / f"out/{name}.jsonl", source.fps) as sink:
            report = run_loop(
                source, segmenter, scorer, [sink], options if name == "live" else replace(options, record="")
            )
        lines = [json.loads(line) for line in (tmp_path / f"out/{name}.jsonl").read_text().splitlines()]
        results.append({line["frame"]: {k: v for k, v in line.items() if k != "age_ms"} for line in lines})
        assert report.frames_processed > 5
    live, again = results
    assert any("lv_area_cm2" in line for line in live.values())
    assert {number: again[number] for number in live} == live  # drawing may drop what the replay shows


def test_service_is_cut_and_reported_when_frames_come_too_late() -> None:
    source, watcher = Screens(), Watcher()
    segmenter, scorer, segment_net, score_net = nets()
    slow = score_net.answer
    score_net.answer = lambda: (time.sleep(0.05), slow())[1]
    reports: list[Report] = []
    options = LoopOptions(limits=PATIENT, deadline_ms=20)
    thread = threading.Thread(
        target=lambda: reports.append(run_loop(source, segmenter, scorer, [watcher], options))  # type: ignore[list-item, arg-type]
    )
    thread.start()
    wait_until(lambda: segment_net.calls > 60 and score_net.calls < segment_net.calls - 10, "fewer scores")
    source.stop()
    thread.join(60)
    assert reports[0].service[0]["to"] == "quality net on every 3rd frame"
    assert reports[0].service[0]["down"]
    lost = [reports[0].dropped.get(reason, 0) for reason in ("capture", "service cut", "not analysed")]
    assert sum(lost) == reports[0].frames_dropped == reports[0].frames_in - reports[0].frames_processed


@pytest.mark.parametrize(("kind", "withheld"), [("b-mode", {}), ("colour", {"colour doppler": 1})])
def test_a_recording_that_shows_flow_is_withheld(kind: str, withheld: dict[str, int]) -> None:
    segmenter, scorer, *_ = nets()
    watcher = Watcher()
    with open_source(f"synth://a4c?seed=3&layout=screen4&kind={kind}&frames=34") as source:
        report = run_loop(source, segmenter, scorer, [watcher])
    assert report.safe_states == withheld
    assert watcher.banner.startswith("COLOUR DOPPLER" if withheld else "")
    assert report.sector["mm_per_px_from"] == "synthetic"
