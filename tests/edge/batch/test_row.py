from __future__ import annotations

import pytest

from edge.batch.row import HEADINGS, Row, Status, cells, document, exit_code
from edge.heart.record import Figure


def row(status: Status = "done", **more: object) -> Row:
    return Row(number=1, name="x", source="rtsp://me:secret@host/x", study=1, status=status, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("states", "ended", "code"),
    [
        (["done", "done"], "", 0),
        (["done", "refused"], "", 3),
        (["done", "cut short"], "", 3),
        (["cut short"], "", 3),
        (["refused", "refused"], "", 2),
        (["done", "refused", "failed"], "", 1),
        (["done", "ended", "not begun"], "SIGINT", 130),
        (["failed", "ended"], "SIGTERM", 143),
        (["ended"], "SIGHUP", 129),
    ],
)
def test_the_exit_code_says_the_worst(states: list[Status], ended: str, code: int) -> None:
    assert exit_code([row(status) for status in states], ended) == code


def test_a_row_without_figures_is_dashes() -> None:
    shown = cells(row("refused", reason="it is empty"))
    assert len(shown) == len(HEADINGS)
    assert shown == ("1", "x", "-", "-", "-", "-", "-", "0", "-", "refused: it is empty")


def test_a_row_with_figures() -> None:
    ef, volume = Figure(median=55.4, low=52, high=58, n=3), Figure(median=100, low=99, high=101, n=3)
    shown = cells(row(view="A4C", ef=ef, edv=volume, esv=volume, rate_bpm=71.6, quality=3.14))
    assert shown[2:7] == ("A4C", "55 (52-58)", "100 / 100", "72", "3.1")


def test_a_document_has_no_secrets() -> None:
    assert "secret" not in str(document(row()))
