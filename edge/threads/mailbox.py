"""Hand-over between two threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

LOOK_S = 0.05
"""A reader that may be told to stop looks this often while nothing comes."""


class Mailbox(Generic[T]):
    """A few slots between a writer and a reader.

    With `newest_wins` a full mailbox gives up its oldest item and counts it in `dropped`; without, the writer waits.
    """

    def __init__(self, slots: int, newest_wins: bool) -> None:
        self._items: deque[T] = deque()
        self._slots, self._newest_wins = slots, newest_wins
        self._changed = threading.Condition()
        self._closed = False
        self._error: BaseException | None = None
        self.dropped = 0

    def put(self, item: T) -> bool:
        """Leave an item. False when the mailbox was closed, so that the writer can stop."""
        with self._changed:
            while len(self._items) >= self._slots and not self._closed:
                if self._newest_wins:
                    self._items.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait()
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def close(self, error: BaseException | None = None) -> None:
        """No more items will come; `error` is raised in the reader once it has taken what is left."""
        with self._changed:
            self._closed = True
            self._error = self._error or error
            self._changed.notify_all()

    def until(self, is_over: Callable[[], bool]) -> Iterator[T]:
        """The items until it is over, or the mailbox closed. What tells so need not wake the reader: a signal handler
        must not take a lock."""
        while not is_over():
            with self._changed:
                while not self._items and not self._closed and not is_over():
                    self._changed.wait(LOOK_S)
                if is_over():
                    return
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                while not self._items and not self._closed:
                    self._changed.wait()
                if not self._items:
                    if self._error is not None:
                        raise self._error
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
