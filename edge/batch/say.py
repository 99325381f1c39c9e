"""What a call came to, in words for a terminal or as one JSON document."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import msgspec

from edge.batch.figures import KINDS, value
from edge.batch.many import Outcome
from edge.batch.row import HEADINGS, cells, document
from edge.sources.address import redacted
from edge.tables import print_table
from edge.terminal import terminal

MOST_SKIPPED = 20
"""So many left-out files are named; JSON has them all."""


def say_many(outcome: Outcome, as_json: bool) -> None:
    """On stdout: the JSON document, or a table with a row a clip and what lies where."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(_document(outcome))).decode() + "\n")
        return
    done = sum(row.status == "done" for row in outcome.rows)
    print_table(HEADINGS, map(cells, outcome.rows), f"{done} of {len(outcome.rows)} clips done")
    console = terminal()
    for study in outcome.studies:
        if study.biplane is not None:
            volumes, ef = study.biplane, value(study.biplane.ef_percent, KINDS["ef_percent"])
            console.print(
                f"study {study.number}: ejection fraction (two planes) {ef}, EDV {volumes.edv_ml:.0f} ml, "
                f"ESV {volumes.esv_ml:.0f} ml"
            )
    for skipped in outcome.skipped[:MOST_SKIPPED]:
        console.print(f"left out: {redacted(skipped.path)}: {skipped.reason}")
    if len(outcome.skipped) > MOST_SKIPPED:
        console.print(f"left out: {len(outcome.skipped) - MOST_SKIPPED} more files; --json names them all")
    if outcome.ended:
        console.print(f"ended: {outcome.ended}")
    for report in outcome.reports:
        console.print(str(report))
    console.print("Research use only; not a medical device.")


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "out": str(outcome.out),
        "ended": outcome.ended,
        "clips": [document(row) for row in outcome.rows],
        "studies": [
            {"study": study.number, "biplane": asdict(study.biplane) if study.biplane else None}
            for study in outcome.studies
        ],
        "left_out": [{"path": redacted(skipped.path), "reason": skipped.reason} for skipped in outcome.skipped],
        "reports": [str(report) for report in outcome.reports],
        "notice": "Research use only; not a medical device.",
    }
