"""What the clips of one study come to together: figures of each plane, and both planes put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.batch.row import Row
from edge.heart.beat import Beat
from edge.heart.biplane import Biplane, biplane_of
from edge.heart.withhold import DISC_VIEWS


@dataclass(frozen=True, kw_only=True)
class Study:
    """`planes` names the clip that each plane is measured in, by view; `biplane` is None until both have a beat in mm.
    `is_known`: the files say that they are of one study, else they were given together."""

    number: int
    is_known: bool
    planes: dict[str, int]
    biplane: Biplane | None


def study_of(number: int, rows: Sequence[Row], is_known: bool) -> Study:
    """From the rows of its clips. A plane is measured in the clip that shows it best: the highest quality with a beat
    in mm, where several have one."""
    planes: dict[str, tuple[Row, list[Beat]]] = {}
    for view in DISC_VIEWS:
        offered = [(row, beats) for row in rows if (beats := _believed(row, view))]
        if offered:
            planes[view] = max(offered, key=lambda offer: offer[0].quality or 0.0)
    a4c, a2c = (planes[view][1] if view in planes else [] for view in DISC_VIEWS)
    return Study(
        number=number,
        is_known=is_known,
        planes={view: row.number for view, (row, _) in planes.items()},
        biplane=biplane_of(a4c, a2c, all(row.seen.is_fitted for row in rows if row.seen is not None)),
    )


def _believed(row: Row, view: str) -> list[Beat]:
    """The beats of a view whose millimetres are believed."""
    beats = row.seen.beats.get(view, ()) if row.seen is not None else ()
    return [beat for beat in beats if beat.in_mm and not beat.impossible_in_mm]
