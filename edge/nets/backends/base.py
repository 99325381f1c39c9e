"""What every inference engine offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Mapping[str, Array]
NEXT = ".next"
"""An output X.next is what the input X must be at the next frame: a graph's states name themselves."""


def states_of(inputs: Iterable[str], outputs: Iterable[str]) -> dict[str, str]:
    """State input -> the output that follows it, by the names of a graph's ports; empty without memory."""
    known = set(outputs)
    return {name: name + NEXT for name in inputs if name + NEXT in known}


class Backend(Protocol):
    """One loaded graph. `name` says which engine, `version` its release.

    The backend keeps the states of a graph with memory (see `states_of`): callers get none and need give none.
    """

    name: str
    version: str

    def infer(self, inputs: Arrays) -> Arrays:
        """Run once. Outputs may share memory that the next call overwrites: copy what must last."""
        ...

    def close(self) -> None:
        """Free what the graph holds; no call may follow."""
        ...

    def reset(self) -> None:
        """Zero the states, as before the first frame; nothing where there are none."""
        ...
