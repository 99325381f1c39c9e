"""What every inference engine offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Mapping[str, Array]


class Backend(Protocol):
    """One loaded graph. `name` says which engine, `version` its release."""

    name: str
    version: str

    def infer(self, inputs: Arrays) -> Arrays:
        """Run once. Outputs may share memory that the next call overwrites: copy what must last."""
        ...

    def close(self) -> None:
        """Free what the graph holds; no call may follow."""
        ...
