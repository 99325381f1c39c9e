"""HTML of a report that is one file: no script, nothing from elsewhere, A4 when it is printed."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import cv2

from edge.picture.palette import Canvas

OPTION = re.compile(r"(--[a-z][\w-]*)")
STYLE = Path(__file__).with_name("report.css")


def page(title: str, body: str) -> str:
    """A whole document around `body`, which is HTML already."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>\n{STYLE.read_text('utf-8')}</style></head><body>\n{body}\n</body></html>\n"
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells of plain text; the first of each row is its name, the others are figures."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr><td>{escape(first)}</td>{''.join(f'<td class=n>{escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def tile(name: str, figure: str, unit: str, below: str) -> str:
    """A large figure with its name above and what it is of below."""
    return (
        f'<div class="tile">{escape(name)}<b>{escape(figure)} <small>{escape(unit)}</small></b>'
        f"<small>{escape(below)}</small></div>"
    )


def picture(image: Canvas, words: str) -> str:
    """An HxWx3 RGB uint8 picture within the page."""
    _, packed = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    data = base64.b64encode(packed.tobytes()).decode()
    image_tag = f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'
    return f"<figure>{image_tag}<figcaption>{escape(words)}</figcaption></figure>"


def items(lines: Sequence[str]) -> str:
    """A list of plain text, "" without any; an option such as --view stays on one line."""
    inner = "".join("<li>" + OPTION.sub(r"<code>\1</code>", escape(line)) + "</li>" for line in lines)
    return f"<ul>{inner}</ul>" if lines else ""
