"""Small charts as inline SVG: reports open without a network and without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, ROW = 640, 20
INK = "#3b7ea1"
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2730}
table{border-collapse:collapse}td,th{padding:.25rem .8rem;border-bottom:1px solid #d5dde3;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{display:block;margin:.5rem 0 1.5rem} svg text{font:12px
system-ui,sans-serif;fill:#1c2730} svg
text.mark{paint-order:stroke;stroke:#fff;stroke-width:3px}.bad{color:#a8201a}.good{color:#1b6b3a}img{image-rendering:auto}"""


def page(title: str, body: str) -> str:
    """A whole HTML document around `body`."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """An HTML table; numbers stand right."""
    head = "".join(f"<th>{escape(h)}</th>" for h in headings)
    body = "".join(
        "<tr>" + "".join(f"<td{_number(cell)}>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(cell: object) -> str:
    """The class of a cell that holds a number, also one that is written out to fixed digits."""
    return ' class="n"' if isinstance(cell, int | float) or str(cell).lstrip("+-").replace(".", "", 1).isdigit() else ""


def bars(labels: Sequence[str], values: Sequence[float], form: str = "{:g}", label_px: int = 200) -> str:
    """Horizontal bars from zero, a row a label."""
    per_unit = (WIDTH - label_px - 80) / max([*values, 1e-12])
    rows = "".join(
        _bar(label, label_px, label_px, max(0.0, value) * per_unit, i, form.format(value))
        for i, (label, value) in enumerate(zip(labels, values))
    )
    return f'<svg role="img" width="{WIDTH}" height="{len(labels) * ROW + 6}">{rows}</svg>'


def _bar(label: str, label_px: int, left: float, width: float, row: int, figure: str) -> str:
    """One row: the label, a bar that begins at `left`, its figure."""
    top = row * ROW
    return (
        f'<text x="{label_px - 8}" y="{top + 14}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{left:.1f}" y="{top + 3}" width="{width:.1f}" height="14" fill="{INK}"/>'
        f'<text x="{left + width + 6:.1f}" y="{top + 14}">{figure}</text>'
    )


def histogram(
    counts: Sequence[float],
    low: float,
    high: float,
    marks: Sequence[tuple[str, float]] = (),
    height: int = 120,
    outline: Sequence[float] = (),
) -> str:
    """Columns of `counts` between `low` and `high`, with named vertical marks; the outline of other counts in red."""
    largest = max([*counts, *outline, 1e-12])
    step = WIDTH / max(1, len(counts))
    columns = "".join(
        f'<rect x="{i * step:.2f}" y="{height - tall:.1f}" width="{max(step - 0.5, 0.5):.2f}" '
        f'height="{tall:.1f}" fill="{INK}"/>'
        for i, tall in enumerate(count / largest * (height - 20) for count in counts)
    )
    # A mark's name stands on the side that has room, with a white edge, since columns may run below it.
    lines = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{15 * i + 3}" y2="{height}" stroke="#a8201a"/>'
        f'<text x="{x + (-4 if x > WIDTH / 2 else 4):.1f}" y="{15 * i + 12}" class="mark" '
        f'text-anchor="{"end" if x > WIDTH / 2 else "start"}">{escape(name)} {value:.4g}</text>'
        for i, (name, value, x) in enumerate((n, v, (v - low) / max(high - low, 1e-12) * WIDTH) for n, v in marks)
    )
    if outline:
        steps = [(i * step, height - count / largest * (height - 20)) for i, count in enumerate(outline)]
        points = " ".join(f"{x:.1f},{y:.1f} {x + step:.1f},{y:.1f}" for x, y in steps)
        lines += f'<polyline points="{points}" fill="none" stroke="#a8201a" stroke-width="1.5"/>'
    axis = (
        f'<text x="0" y="{height + 14}">{low:.4g}</text>'
        f'<text x="{WIDTH}" y="{height + 14}" text-anchor="end">{high:.4g}</text>'
    )
    return f'<svg role="img" width="{WIDTH}" height="{height + 18}">{columns}{lines}{axis}</svg>'


def waterfall(labels: Sequence[str], values: Sequence[float], form: str = "{:g}", label_px: int = 200) -> str:
    """Bars one after the other, a row a label: each starts where the one before it ends."""
    total = max(sum(values), 1e-12)
    room = WIDTH - label_px - 80
    rows, left = "", float(label_px)
    for i, (label, value) in enumerate(zip(labels, values)):
        width = value / total * room
        rows += _bar(label, label_px, left, max(width, 0.5), i, form.format(value))
        left += width
    return f'<svg role="img" width="{WIDTH}" height="{len(labels) * ROW + 6}">{rows}</svg>'


def series(values: Sequence[float], height: int = 120) -> str:
    """A line of values in order, from zero to the largest."""
    largest = max([*values, 1e-12])
    step = WIDTH / max(1, len(values) - 1)
    points = " ".join(
        f"{i * step:.1f},{height - value / largest * (height - 16):.1f}" for i, value in enumerate(values)
    )
    return (
        f'<svg role="img" width="{WIDTH}" height="{height + 4}">'
        f'<polyline points="{points}" fill="none" stroke="{INK}"/>'
        f'<line x1="0" x2="{WIDTH}" y1="{height}" y2="{height}" stroke="#d5dde3"/>'
        f'<text x="0" y="11">{largest:.4g}</text></svg>'
    )
