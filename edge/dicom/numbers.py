"""Numbers out of DICOM elements that may be absent, empty, a text, or a list where one was to stand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def numbers(data: Any, keyword: str) -> list[float]:
    """The finite values of an element of a pydicom data set; [] where it is absent or none of them is a number."""
    try:
        value = data.get(keyword)
    except Exception:  # pydicom converts when asked, and raises what its parsers raise
        return []
    if value is None or value == "":
        return []
    many = value if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]
    found = []
    for one in many:
        try:
            number = float(one)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            found.append(number)
    return found


def number(data: Any, keyword: str) -> float | None:
    """The element's one value, None where it has none or several."""
    found = numbers(data, keyword)
    return found[0] if len(found) == 1 else None
