from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.table import Table

from edge.terminal import terminal

TEXT = "pip install 'echoedge[openvino]' [/] :warning: [red]/data/[2024] loop" + " x" * 100


def test_foreign_text_stands_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("what [b]", title="[i]title")
    table.add_row(TEXT)
    terminal().print(TEXT)
    terminal().print(table)
    printed = capsys.readouterr().out
    assert printed.count(TEXT) == 2
    assert "what [b]" in printed
    assert "[i]title" in printed


def test_every_console_is_made_here(root: Path) -> None:
    folders = ("echoedge", "edge", "train", "calib", "compile", "benchmarks")
    files = [path for folder in folders for path in (root / folder).rglob("*.py")]
    made = [path for path in files if re.search(r"\bConsole\(", path.read_text())]
    assert made == [root / "edge/terminal.py"]
