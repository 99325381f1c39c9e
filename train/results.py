"""What every reproduced table needs: the machine's name, results as JSON, and generated sections of a Markdown file."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.errors import DataError

RESULTS = "results.md"
"""Where a table's section goes in the folder of its rows; a smoke run would else replace the figures of a real one."""
HEADER = """# Results

The sections between markers are written by the commands that they name and `--results` with this file, never by hand.
"""


def machine() -> str:
    """Processor or GPU, its count and torch's version, in words."""
    torch = sys.modules.get("torch")  # what trains has it loaded; what evaluates an artefact runs without it
    if torch is not None and torch.cuda.is_available():
        place = str(torch.cuda.get_device_name())
    else:
        model = platform.processor() or platform.machine()
        cpuinfo = Path("/proc/cpuinfo")
        if cpuinfo.exists():
            lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
            model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
        place = f"{model}, {os.cpu_count()} cores"
    return f"{place}, torch {torch.__version__}" if torch is not None else place


def slug(name: str) -> str:
    """A row's name as that of a file."""
    return re.sub("[^A-Za-z0-9_+-]+", "-", name)


def write_json(path: Path, content: Any) -> None:
    """Write JSON under a temporary name, then rename. NaN becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(json.dumps(_without_nan(content), indent=1))
    os.replace(temporary, path)


def stored_row(path: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """A row from its file; None where it was not made yet. Raises DataError for one made with other settings."""
    if not path.is_file():
        return None
    row: dict[str, Any] = json.loads(path.read_text())
    if row["settings"] != json.loads(json.dumps(settings)):
        raise DataError(f"{path} was made with other settings; choose another --out or remove {path.parent.parent}")
    return row


def store_row(path: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    """Write a row and return it as `stored_row` will find it."""
    write_json(path, row)
    stored: dict[str, Any] = json.loads(path.read_text())
    return stored


def _without_nan(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def replace_section(path: Path, name: str, text: str) -> None:
    """Put `text` between the markers `<!-- NAME begin -->` and `<!-- NAME end -->` of a Markdown file, adding them if
    new.

    Raises DataError when only one of the two markers is there.
    """
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    before = path.read_text() if path.exists() else HEADER
    section = f"{begin}\n{text.strip()}\n{end}"
    if (begin in before) != (end in before):
        raise DataError(f"{path} has one of the markers '{begin}' and '{end}' without the other; add it or remove both")
    if begin in before:
        head, tail = before.split(begin, 1)[0], before.split(end, 1)[1]
        after = f"{head}{section}{tail}"
    else:
        after = f"{before.rstrip()}\n\n{section}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(after)
