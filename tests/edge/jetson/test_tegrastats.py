"""Lines put together from documentation and public reports, not recorded by us: see tests/edge/jetson/boards.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.jetson.tegrastats import parse_line
from tests.edge.jetson.boards import BOARDS

pytestmark = pytest.mark.portable


@pytest.mark.parametrize(
    ("name", "ram_mb", "cpu_percent", "gpu_percent", "total_mw"),
    [
        ("nano", (1409, 3964), 44.5, 0, 2003),
        ("xavier-nx", (2840, 7620), 21.25, 76, 5765),
        ("orin-nano", (2505, 7775), 1.0, 45, 4123),
        ("orin-nx", (4123, 15656), 15.75, 99, 8912),
        ("agx-orin", (3162, 30536), 0.25, 0, 3175 + 793 + 3831),
        ("thor", (9170, 125772), 4 / 14, None, 23000),
    ],
)
def test_each_boards_line(
    name: str, ram_mb: tuple[int, int], cpu_percent: float, gpu_percent: int | None, total_mw: int
) -> None:
    stats = parse_line(BOARDS[name].tegrastats)
    assert stats is not None
    assert (stats.ram_used_mb, stats.ram_total_mb) == ram_mb
    assert stats.cpu_percent == pytest.approx(cpu_percent)
    assert stats.gpu_percent == gpu_percent
    assert stats.total_mw == total_mw


@given(st.text())
def test_anything_else_is_no_line(text: str) -> None:
    assert parse_line(text) is None


@given(st.integers(0, len(BOARDS["orin-nx"].tegrastats)))
def test_a_line_that_is_cut_off_breaks_nothing(length: int) -> None:
    stats = parse_line(BOARDS["orin-nx"].tegrastats[:length])
    assert stats is None or stats.ram_total_mb == 15656
