from __future__ import annotations

import threading

import pytest

from edge.threads.mailbox import Mailbox


def test_the_newest_wins_and_drops_are_counted() -> None:
    box: Mailbox[int] = Mailbox(1, newest_wins=True)
    for item in range(5):
        assert box.put(item)
    box.close()
    assert list(box) == [4]
    assert box.dropped == 4


def test_without_it_the_writer_waits_and_nothing_is_lost() -> None:
    box: Mailbox[int] = Mailbox(2, newest_wins=False)

    def write() -> None:
        for item in range(100):
            box.put(item)
        box.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert list(box) == list(range(100))
    writer.join(timeout=5)
    assert box.dropped == 0


def test_an_error_reaches_the_reader_after_what_is_left() -> None:
    box: Mailbox[int] = Mailbox(4, newest_wins=False)
    box.put(1)
    box.close(ValueError("broken"))
    items = iter(box)
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_a_waiting_writer_is_released_by_close() -> None:
    box: Mailbox[int] = Mailbox(1, newest_wins=False)
    box.put(1)
    results: list[bool] = []
    writer = threading.Thread(target=lambda: results.append(box.put(2)))
    writer.start()
    box.close()
    writer.join(timeout=5)
    assert results == [False]


def test_a_reader_stops_when_it_is_over_though_nothing_comes() -> None:
    box: Mailbox[int] = Mailbox(4, newest_wins=False)
    over = threading.Event()
    box.put(1)
    items = box.until(over.is_set)
    assert next(items) == 1
    threading.Timer(0.1, over.set).start()
    assert list(items) == []
    box.put(2)
    assert list(box.until(lambda: True)) == []
