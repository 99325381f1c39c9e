"""What one clip came to: a row of the table, and an object of the JSON document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edge.batch.seen import Seen
from edge.heart.record import Figure
from edge.report import Report
from edge.sources.address import redacted
from edge.stages.ending import code_of

Status = Literal["done", "refused", "failed", "cut short", "ended", "not begun"]
"""Every frame went through; nothing of it was analysed; a failure ended it or cost frames; an output stopped before it
did; a signal came in the middle; a signal came before."""
FAILED, NOTHING_DONE, SOME_REFUSED = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class Row:
    """One clip. `reason` says why it is not done; `quality` is the mean score of the regions, 1 to 5; `outputs` are the
    files that are there. `report` is what the run came to and `seen` what a study's report shows: None where nothing
    was analysed.
    """

    number: int
    name: str
    source: str
    study: int
    status: Status
    reason: str = ""
    view: str = ""
    quality: float | None = None
    ef: Figure | None = None
    edv: Figure | None = None
    esv: Figure | None = None
    rate_bpm: float | None = None
    outputs: tuple[str, ...] = ()
    report: Report | None = None
    seen: Seen | None = None

    @property
    def frames(self) -> int:
        """How many were analysed."""
        return self.report.frames_processed if self.report is not None else 0

    @property
    def fps(self) -> float | None:
        """Frames analysed a second."""
        return self.report.fps if self.frames and self.report is not None else None

    @property
    def withheld(self) -> str:
        """Why volumes are not known, where that held on most frames; "" where they are, or where no beat was found."""
        reasons = self.report.withheld if self.report is not None else {}
        often = max(reasons, key=lambda reason: reasons[reason], default="")
        return often if self.edv is None and reasons.get(often, 0) > self.frames / 2 else ""


def document(row: Row) -> dict[str, Any]:
    """A row as plain values: what stands in the table, then the report of the run."""
    return {
        "clip": row.number,
        "name": row.name,
        "source": redacted(row.source),
        "study": row.study,
        "status": row.status,
        "reason": row.reason,
        "view": row.view,
        "frames": row.frames,
        "fps": row.fps,
        "quality": row.quality,
        "ejection_fraction_percent": asdict(row.ef) if row.ef else None,
        "edv_ml": asdict(row.edv) if row.edv else None,
        "esv_ml": asdict(row.esv) if row.esv else None,
        "heart_rate_bpm": row.rate_bpm,
        "outputs": list(row.outputs),
        "report": asdict(row.report) if row.report is not None else None,
    }


HEADINGS = ("", "clip", "view", "EF %", "EDV / ESV ml", "bpm", "quality", "frames", "fps", "result")


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table under HEADINGS; what is not known is a dash."""
    result = f"{row.status}: {row.reason}" if row.reason else row.status
    if not row.reason and row.withheld:
        result += f"; volumes withheld: {row.withheld}"
    volumes = f"{row.edv.median:.0f} / {row.esv.median:.0f}" if row.edv and row.esv else "-"
    return (
        str(row.number),
        row.name,
        row.view or "-",
        _spread(row.ef),
        volumes,
        _figure(row.rate_bpm, 0),
        _figure(row.quality, 1),
        str(row.frames),
        _figure(row.fps, 1),
        result,
    )


def exit_code(rows: Iterable[Row], ended: str) -> int:
    """128 + number where the signal `ended` it; 1 a failure ended a clip or cost frames; 2 no clip was analysed; 3 some
    were refused, or lost an output; 0 all are done."""
    states = [row.status for row in rows]
    if code := code_of(ended):
        return code
    if "failed" in states:
        return FAILED
    if not {"done", "cut short"} & set(states):
        return NOTHING_DONE
    return SOME_REFUSED if set(states) - {"done"} else 0


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _spread(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{figure.median:.0f}" if figure.n == 1 else f"{figure.median:.0f} ({figure.low:.0f}-{figure.high:.0f})"
