"""Values that no heart has: they are not shown, and the reason says which limit they broke.

The limits are wider than any patient, adult or child from about ten years on; what they catch are a wrong scale, a
contour of something else, and a pair of frames that are not ED and ES.
"""

from __future__ import annotations

from collections.abc import Mapping

LIMITS: Mapping[str, tuple[float, float, str]] = {
    "depth": (3.0, 30.0, "cm"),
    "LV length": (40.0, 130.0, "mm"),
    "EDV": (15.0, 600.0, "ml"),
    "EF": (2.0, 90.0, "%"),
}
"""Lowest and highest value and unit. Scanners offer no other imaging depths for a heart. The largest ventricles of
dilated cardiomyopathy hold about 500 ml, an EF below 5 % is hardly survived, above 85 % is an obliterated cavity."""


def implausible(**values: float | None) -> str:
    """Why values cannot be a heart's, such as "EDV 1421 ml: above 600, check scale and contour"; "" where they can.

    Names are LIMITS' with underscores for blanks; None is not judged.
    """
    for key, value in values.items():
        name = key.replace("_", " ")
        lowest, highest, unit = LIMITS[name]
        if value is None or lowest <= value <= highest:
            continue
        side = f"below {lowest:g}" if value < lowest else f"above {highest:g}"
        check = {"EF": "ED, ES and contour", "depth": "scale"}.get(name, "scale and contour")
        return f"{name} {value:.0f} {unit}: {side}, check {check}"
    return ""


def too_large(length_mm: float | None, volume_ml: float | None) -> str:
    """Why one frame's LV cannot be a heart's: at ES it may be smaller than LIMITS, at no time larger."""
    over = {name: value for name, value in (("LV_length", length_mm), ("EDV", volume_ml)) if value is not None}
    return implausible(**{name: value for name, value in over.items() if value > LIMITS[name.replace("_", " ")][0]})
