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

from edge.loop import LoopOptions, run_loop
from edge.picture.palette import CONTOUR
from edge.report import Report
from edge.screen.known import KnownScreen
from edge.sinks import Shown, open_sink
from edge.sources import Captured, open_source
from edge.sources.paced import Paced
from edge.stages.safety import Limits
from edge.stated import Stated
from tests.edge.nets.doubles import nets
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
        right = shown.picture[40:500, 640:].astype(int)
        self.contour = bool((np.abs(right - CONTOUR).max(2) < 12).sum() > 50)
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
