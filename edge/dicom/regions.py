"""Ultrasound regions: which part of the screen is the two-dimensional picture, and its scale (PS3.3, C.8.5.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from edge.dicom.numbers import number, numbers
from edge.stated import Stated

TISSUE = 1
"""Region Data Type (0018,6014): two-dimensional tissue."""
TWO_D = 1
"""Region Spatial Format (0018,6012)."""
TRACES = {2: "M-mode", 3: "a spectrum"}
"""The same, of regions that show something over time."""
CENTIMETRES = 3
"""Physical Units X/Y Direction (0018,6024/6026)."""
UNITS = {0: "none", 1: "percent", 2: "dB", 4: "seconds", 5: "hertz", 6: "dB per second", 7: "cm per second"}
BY = "DICOM region"
MAX_SHRUNK = 4
"""Exports halve or quarter a screen; a region farther outside the picture belongs to another one."""
CORNERS = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
SQUARE = 0.01
MAX_STRETCH = 4.0
"""A wider or narrower pixel than this is an error of the file, not a shape."""


NOTHING = Stated()


@dataclass(frozen=True)
class Geometry:
    """What a file says of its pictures: `region` (x0, y0, x1, y1) in stored pixels, the scale of a pixel as it is shown
    (pixels are only ever made more, so it is that of a pixel's shorter side), the width of a stored pixel over its
    height, and what else than `region` the file says is on the screen, in words."""

    region: tuple[int, int, int, int] | None = None
    stated: Stated = NOTHING
    stretch: float = 1.0
    left_out: tuple[str, ...] = ()


def geometry_of(data: Any, rows: int, columns: int) -> Geometry:
    """What a pydicom data set says of its pictures, of `rows` x `columns`."""
    return replace(_geometry(data, rows, columns), left_out=_left_out(data))


def _left_out(data: Any) -> tuple[str, ...]:
    """Every region with a picture or a trace of its own, but for the largest two-dimensional one."""
    two_d = [box for region in _regions(data) if (box := _box(region)) is not None]
    others = [number(region, "RegionSpatialFormat") for region in data.get("SequenceOfUltrasoundRegions") or []]
    words = [TRACES[int(kind)] for kind in others if kind in TRACES]
    # Regions of one place are one picture: tissue, and flow upon it.
    return (*dict.fromkeys(words), *(["a second 2D picture"] if len(set(two_d)) > 1 else []))


def _geometry(data: Any, rows: int, columns: int) -> Geometry:
    """From the largest two-dimensional tissue region of a pydicom data set, and its Pixel Aspect Ratio.

    Some exports shrink the pixels and keep the regions of the original screen: a region that reaches beyond the
    picture is scaled down by the smallest whole factor that makes it fit, and its spacing up by the same.
    """
    ratio = numbers(data, "PixelAspectRatio")  # vertical, horizontal
    aspect = ratio[1] / ratio[0] if len(ratio) == 2 and min(ratio) > 0 else 1.0
    found = [(box, region) for region in _regions(data) if (box := _box(region)) is not None]
    if not found:
        return Geometry(stretch=aspect)
    box, region = max(found, key=lambda one: (one[0][2] - one[0][0]) * (one[0][3] - one[0][1]))
    x0, y0, x1, y1 = box
    factor = max(1, -(-(x1 + 1) // columns), -(-(y1 + 1) // rows))
    if factor > MAX_SHRUNK:
        problem = f"its region ({x0}, {y0}) to ({x1}, {y1}) is outside of a picture of {columns}x{rows}"
        return Geometry(None, Stated(None, BY, problem), aspect)
    located = (x0 // factor, y0 // factor, min(columns, x1 // factor + 1), min(rows, y1 // factor + 1))
    stated = _scale(region, factor)
    if stated.spacing_mm is None:
        return Geometry(located, stated, aspect)
    row_mm, column_mm = stated.spacing_mm
    if row_mm <= 0 or column_mm <= 0:
        return Geometry(located, stated, aspect)
    by_delta = column_mm / row_mm
    if abs(aspect - 1) > SQUARE and abs(by_delta / aspect - 1) > SQUARE:
        problem = f"its deltas make a pixel {by_delta:.2f} times as wide as high, its Pixel Aspect Ratio {aspect:.2f}"
        return Geometry(located, Stated(None, BY, problem), aspect)
    if not 1 / MAX_STRETCH <= by_delta <= MAX_STRETCH:
        return Geometry(
            located, Stated(None, BY, f"its deltas make a pixel {by_delta:.3g} times as wide as high"), aspect
        )
    if abs(by_delta - 1) > SQUARE:
        return Geometry(located, Stated((min(stated.spacing_mm),) * 2, BY), by_delta)
    return Geometry(located, stated)


def _regions(data: Any) -> list[Any]:
    """Those of two-dimensional tissue; a strip of M-mode, Doppler or ECG is none."""
    regions = data.get("SequenceOfUltrasoundRegions") or []
    return [
        region
        for region in regions
        if number(region, "RegionDataType") == TISSUE and number(region, "RegionSpatialFormat") in (TWO_D, None)
    ]


def _box(region: Any) -> tuple[int, int, int, int] | None:
    """None for a region that is not located, or has no area."""
    corners = [number(region, corner) for corner in CORNERS]
    x0, y0, x1, y1 = (int(corner) if corner is not None else -1 for corner in corners)
    return (x0, y0, x1, y1) if x0 >= 0 and y0 >= 0 and x1 > x0 and y1 > y0 else None


def _scale(region: Any, factor: int) -> Stated:
    """Deltas in cm, as mm of the picture's own pixels."""
    for axis in ("X", "Y"):
        unit = number(region, f"PhysicalUnits{axis}Direction")
        if unit != CENTIMETRES:
            said = "has no unit" if unit is None else f"is in {UNITS.get(int(unit), f'unit {unit:g}')}"
            return Stated(None, BY, f"its {axis} direction {said}, not in cm")
    deltas = [number(region, f"PhysicalDelta{axis}") for axis in ("Y", "X")]
    if None in deltas:
        return Stated(None, BY, "its Physical Delta is missing or no number")
    row_cm, column_cm = (abs(delta) for delta in deltas if delta is not None)
    return Stated((row_cm * 10 * factor, column_cm * 10 * factor), BY)
