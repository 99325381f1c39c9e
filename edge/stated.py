"""The scale that a source states of its frames, as it states it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stated:
    """(row, column) mm per pixel, unchecked; None where none is stated. `edge.screen.calibration` judges it.

    `by` is who states it, `problem` why what stands there cannot be used.
    """

    spacing_mm: tuple[float, float] | None = None
    by: str = ""
    problem: str = ""
