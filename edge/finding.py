"""What a check of `echoedge doctor` reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One line of the table. `state` is "ok", "absent" (optional) or "broken" (`echoedge run` could not work); `remedy`
    says what to do.
    """

    name: str
    state: str
    detail: str
    remedy: str = ""


def package(name: str, module: str, purpose: str, remedy: str) -> Callable[[Path], Finding]:
    def check(_: Path) -> Finding:
        if find_spec(module) is None:
            return Finding(name, "absent", purpose, remedy)
        return Finding(name, "ok", version(module))

    return check


def version(module: str) -> str:
    try:
        return metadata.version(module)
    except metadata.PackageNotFoundError:
        return "installed"
