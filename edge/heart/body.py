"""Body surface, and volumes per square metre of it."""

from __future__ import annotations


def body_surface_m2(height_cm: float, weight_kg: float) -> float:
    """Mosteller (1987): the root of height times weight / 3600, in m2."""
    return float((height_cm * weight_kg / 3600) ** 0.5)
