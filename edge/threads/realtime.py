"""Cores and real-time priority for the loop's threads, where the system permits them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

log = logging.getLogger(__name__)

PRIORITIES = {"capture": 2, "watchdog": 2, "inference": 1, "draw": 0}
"""Added to the configured priority: a frame that is not fetched in time is lost, a drawing may come a little later."""


@dataclass(frozen=True)
class Realtime:
    """`cpus` the cores that the loop's threads may use (empty: all); `fifo_priority` 1-97 for SCHED_FIFO (0: off)."""

    cpus: tuple[int, ...] = ()
    fifo_priority: int = 0


def make_realtime(role: str, wanted: Realtime) -> None:
    """Apply to the calling thread. What the system refuses is logged with the remedy, and the loop runs without it."""
    if wanted.cpus:
        try:
            os.sched_setaffinity(0, wanted.cpus)
        except (OSError, AttributeError) as error:
            log.warning("the %s thread cannot use cores %s: %s", role, wanted.cpus, error)
    if wanted.fifo_priority:
        priority = min(99, wanted.fifo_priority + PRIORITIES[role])
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        except (OSError, AttributeError) as error:
            log.warning(
                "no SCHED_FIFO for the %s thread: %s; give the service CAP_SYS_NICE or LimitRTPRIO=99", role, error
            )


@contextmanager
def at_realtime(role: str, wanted: Realtime) -> Iterator[None]:
    """`make_realtime` for the length of a block. Threads started within it, such as an engine's, keep what it set."""
    if sys.platform != "linux":
        yield
        return
    cores, policy, param = os.sched_getaffinity(0), os.sched_getscheduler(0), os.sched_getparam(0)
    make_realtime(role, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        os.sched_setscheduler(0, policy, param)


def make_background(role: str) -> None:
    """Lower the calling thread below the loop's, to SCHED_IDLE, out of the SCHED_FIFO that threads inherit.

    Engines that were opened with one thread compute on the thread that calls them, so they give way as well. Nice 19 is
    not enough: Linux lets such a thread end its slice of milliseconds before one of the loop's that has woken up.
    """
    if sys.platform != "linux":
        return
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError as error:
        log.warning("the %s thread keeps its priority: %s", role, error)
