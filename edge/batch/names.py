"""Names of outputs: after the source, safe on every file system, and never one that is taken."""

from __future__ import annotations

import re
from pathlib import PurePath
from urllib.parse import urlsplit

from edge.opening import SUFFIXES

MAX_LETTERS = 80
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""Names that Windows gives to devices."""
TAKEN = ("clips.jsonl",)


class Names:
    """Hands out names that differ in more than capitals, and whose files do too."""

    def __init__(self) -> None:
        self._taken = set(TAKEN)

    def of(self, source: str) -> str:
        """A name for the outputs of a source: loop.dcm gives loop, another loop.dcm loop-2."""
        stem = safe_name(source)
        number = 1
        while not self._is_free(name := stem if number == 1 else f"{stem}-{number}"):
            number += 1
        self._taken |= _files(name)
        return name

    def _is_free(self, name: str) -> bool:
        return not (_files(name) & self._taken)


def safe_name(source: str) -> str:
    """The source's own name in letters, digits, dots, dashes and underscores; "clip" where none is left."""
    place = urlsplit(source)
    path = PurePath(place.netloc + place.path if place.scheme == "synth" else source.partition("?")[0])
    is_kind = path.suffix[1:].isalnum() and not path.suffix[1:].isdecimal()  # not the end of a UID
    words = re.sub(r"[^\w.-]+", "_", path.stem if is_kind else path.name)
    name = words.strip("._-")[:MAX_LETTERS].rstrip("._-") or "clip"
    return f"{name}_" if name.partition(".")[0].lower() in RESERVED else name


def _files(name: str) -> set[str]:
    """What is written under a name, as a file system that does not tell capitals has it."""
    return {f"{name}{suffix}".casefold() for suffix in SUFFIXES}
