from __future__ import annotations

import pytest

from edge.heart.plausible import implausible

pytestmark = pytest.mark.portable


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"EDV": 117.0, "EF": 55.0, "LV_length": 85.0, "depth": 15.0}, ""),
        ({"EDV": 1421.0}, "EDV 1421 ml: above 600, check scale and contour"),
        ({"EDV": 1.0}, "EDV 1 ml: below 15, check scale and contour"),
        ({"EF": -47.0}, "EF -47 %: below 2, check ED, ES and contour"),
        ({"LV_length": 139.0}, "LV length 139 mm: above 130, check scale and contour"),
        ({"depth": 31.0}, "depth 31 cm: above 30, check scale"),
        ({"EDV": None, "EF": None}, ""),
    ],
)
def test_what_no_heart_has_is_named(values: dict[str, float | None], reason: str) -> None:
    assert implausible(**values) == reason
