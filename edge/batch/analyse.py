"""One clip, from its address to its row. Knows nothing of a terminal, nor of the clips beside it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from edge.batch.find import Clip
from edge.batch.row import Row, Status
from edge.batch.seen import Collector
from edge.config import RunConfig
from edge.errors import EchoEdgeError, SourceError
from edge.opening import Networks, opened_source, outputs_of, record_of, run_source
from edge.report import Report, problems_of
from edge.sources import Live
from edge.stages.ending import Ending, code_of
from edge.stages.shared import reason_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What holds for every clip: the settings of a run, networks that are open, and how the call ends."""

    config: RunConfig
    networks: Networks
    ending: Ending


def analyse(clip: Clip, options: Options, out: Path) -> Row:
    """Analyse one recording as a new patient's; its outputs go into `out` under the clip's name.

    Whatever is wrong with it stands in the row: nothing but the end of the process is raised.
    """
    config = replace(options.config, source=clip.source, out=str(out), name=clip.name)
    collector, record = Collector(), record_of(config)
    try:
        outputs = outputs_of(config)
        with opened_source(config) as source:
            if isinstance(source, Live):
                raise SourceError(f"{source.uri} is a live signal; give it alone")
            report = run_source(source, options.networks, config, outputs, options.ending, [collector], record)
    except EchoEdgeError as error:
        return _row(clip, "refused", str(error))
    except Exception as error:  # one clip's failure is not the others'
        log.debug("clip %d", clip.number, exc_info=error)
        return _row(clip, "failed", reason_of(error))
    status = status_of(report)
    seen, heart = collector.seen(record), record.heart
    return replace(
        _row(clip, status, f"{report.ended} came" if status == "ended" else "; ".join(problems_of(report))),
        view=report.view,
        quality=seen.quality if seen else None,
        ef=heart.ef_percent,
        edv=heart.edv_ml,
        esv=heart.esv_ml,
        rate_bpm=heart.rhythm.rate_bpm if heart.rhythm else None,
        outputs=tuple(output for output in outputs if Path(output).exists()),
        report=report,
        seen=seen,
    )


def status_of(report: Report) -> Status:
    """What a run's report means for its clip."""
    if report.failure or (report.failed and report.frames_processed):
        return "failed"
    if code_of(report.ended):
        return "ended"
    if not report.frames_processed:
        return "refused"
    return "cut short" if report.stopped else "done"


def _row(clip: Clip, status: Status, reason: str) -> Row:
    """A row without figures. The clip's path is in it already, so the reason says the rest."""
    for words in (f"{clip.source} ", f"{clip.source}: "):
        reason = reason.replace(words, "")
    return Row(
        number=clip.number,
        name=clip.name,
        source=clip.source,
        study=clip.study,
        status=status,
        reason=reason.replace(clip.source, "it"),
    )
