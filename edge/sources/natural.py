"""Names in the order that people give them: 2 before 10."""

from __future__ import annotations

import re


def natural_order(name: str) -> list[tuple[int, str]]:
    """Sort key under which the numbers in a name count as numbers: "frame_2" before "frame_10"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
