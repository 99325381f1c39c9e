from __future__ import annotations

import pytest

from edge.tables import markdown_table, print_table


def test_a_markdown_table_has_a_line_a_row() -> None:
    table = markdown_table(["row", "Dice"], [["full", "0.919"], ["half", ""]])
    assert table == "| row | Dice |\n| --- | --- |\n| full | 0.919 |\n| half |  |"


def test_the_terminal_shows_title_headings_and_cells(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["row", "Dice"], [["full", "0.919"]], "LV")
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("LV", "row", "Dice", "full", "0.919"))
