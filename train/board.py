"""TensorBoard, where it is installed: one scalar a column of the training history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Board(Protocol):
    """What the loop writes to."""

    def add_scalar(self, tag: str, value: float, step: int) -> object: ...


class NoBoard:
    """Stands in where TensorBoard is missing."""

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        pass


@contextmanager
def open_board(folder: Path, epoch: int, enabled: bool = True) -> Iterator[Board]:
    """A writer of event files in `folder`/board, continuing behind `epoch`; NoBoard where tensorboard is not
    installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        enabled = False
    if not enabled:
        yield NoBoard()
        return
    writer = SummaryWriter(folder / "board", purge_step=epoch + 1)
    try:
        yield writer
    finally:
        writer.close()
