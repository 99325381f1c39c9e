"""Priorities of the loop's threads, asked of the kernel."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable

import pytest

from edge.threads.realtime import PRIORITIES, Realtime, at_realtime, make_background, make_realtime

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="thread priorities are Linux's")
FIFO = Realtime(fifo_priority=10)


def on_a_thread(work: Callable[[], None]) -> tuple[int, int, set[int]]:
    """Policy, priority and cores of a new thread after its work."""
    found: list[tuple[int, int, set[int]]] = []

    def run() -> None:
        work()
        found.append((os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, os.sched_getaffinity(0)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def permitted() -> None:
    if on_a_thread(lambda: make_realtime("draw", FIFO))[0] != os.SCHED_FIFO:
        pytest.skip("SCHED_FIFO is not permitted here; run as root or with LimitRTPRIO")


@pytest.mark.usefixtures("permitted")
@pytest.mark.parametrize("role", PRIORITIES)
def test_each_stage_has_its_priority(role: str) -> None:
    policy, priority, _ = on_a_thread(lambda: make_realtime(role, FIFO))
    assert (policy, priority) == (os.SCHED_FIFO, 10 + PRIORITIES[role])


@pytest.mark.usefixtures("permitted")
def test_threads_started_in_the_block_keep_its_priority_and_the_caller_its_own() -> None:
    before = os.sched_getscheduler(0), os.sched_getaffinity(0)
    core = min(before[1])
    with at_realtime("inference", Realtime((core,), 10)):
        inside = on_a_thread(lambda: None)
    assert inside == (os.SCHED_FIFO, 11, {core})
    assert (os.sched_getscheduler(0), os.sched_getaffinity(0)) == before


@pytest.mark.usefixtures("permitted")
def test_the_background_gives_way_even_where_it_is_started_by_the_loop() -> None:
    with at_realtime("inference", FIFO):
        policy, priority, _ = on_a_thread(lambda: make_background("refine"))
    assert (policy, priority) == (os.SCHED_IDLE, 0)


def test_what_the_system_refuses_is_said_and_the_loop_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with caplog.at_level(logging.WARNING):
        make_realtime("capture", FIFO)
        make_background("refine")
    assert "LimitRTPRIO" in caplog.text
    assert "refine" in caplog.text
