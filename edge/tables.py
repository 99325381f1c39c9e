"""One renderer of tables, for a document and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from edge.terminal import terminal


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of cells as they are; the last line has no line end."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """The same on standard output, as wide as the terminal allows."""
    table = Table(*headings, title=title)
    for row in rows:
        table.add_row(*row)
    terminal().print(table)
