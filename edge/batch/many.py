"""Clips one after the other, with networks that are opened once; a report whenever a study is over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from edge.batch.analyse import Options, analyse
from edge.batch.bar import Bar
from edge.batch.find import RESULTS, Clip, Found, Skipped, find_clips
from edge.batch.report import report_page
from edge.batch.row import Row, document
from edge.batch.study import Study, study_of
from edge.config import RunConfig
from edge.errors import EchoEdgeError
from edge.opening import check_encoder, opened_networks
from edge.sinks.files import GrowingFile, PartFile
from edge.stages.ending import Ending

RUNS = Path("runs")
ALONE = {"sinks": "--sink", "name": "--name", "record": "--record", "show_screen": "--show-screen"}
"""Settings that are of one source."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Rows in order, without what only reports show; reports that were written; the signal that ended it, or ""."""

    out: Path
    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]
    studies: tuple[Study, ...]
    reports: tuple[Path, ...]
    ended: str = ""


def run_many(sources: Sequence[str], config: RunConfig) -> Outcome:
    """Analyse every recording that the sources stand for. A signal ends it after the frame at work: that clip's files,
    its study's report and the rows are whole.

    Raises EchoEdgeError where nothing can begin: no recording, a setting that is of one source, a folder that is not
    empty.
    """
    _check(config)
    found = find_clips(sources)
    ending = Ending()
    with ending.by_signals(), opened_networks(config, live=False) as networks:
        out = _folder(config.out)
        ending.begin()
        return _all(found, Options(config=config, networks=networks, ending=ending), out)


def _all(found: Found, options: Options, out: Path) -> Outcome:
    rows: list[Row] = []
    studies: list[Study] = []
    reports: list[Path] = []
    with _Lines(out / RESULTS) as lines, Bar(len(found.clips)) as bar:
        for number in range(1, found.studies + 1):
            clips = [clip for clip in found.clips if clip.study == number]
            folder = out / f"study-{number}" if found.studies > 1 else out
            of_study = []
            for clip in clips:
                bar.begins(clip)
                row = _not_begun(clip) if options.ending.is_asked else analyse(clip, options, folder)
                lines.write(row)
                bar.ends(row)
                of_study.append(row)
            study = study_of(number, of_study, clips[0].is_known_study)
            studies.append(study)
            rows += [replace(row, seen=None) for row in of_study]
            if any(row.status != "not begun" for row in of_study):
                reports.append(_write(folder / "report.html", study, of_study, options))
    return Outcome(
        out=out,
        rows=tuple(rows),
        skipped=found.skipped,
        studies=tuple(studies),
        reports=tuple(reports),
        ended=options.ending.how,
    )


def _write(path: Path, study: Study, rows: Sequence[Row], options: Options) -> Path:
    file = PartFile(path)
    page = report_page(study, rows, options.networks, options.config.label)
    file.part.write_text(page, "utf-8")
    file.settle(True)
    return path


def _check(config: RunConfig) -> None:
    for setting, flag in ALONE.items():
        if getattr(config, setting):
            raise EchoEdgeError(f"{flag} is of one source; leave it out for several, or for a report")
    if config.pace != "fast":
        raise EchoEdgeError("--pace native is of one source; several recordings are analysed frame by frame")
    check_encoder(config)
    folder = Path(config.out)
    if not config.out or not folder.exists():
        return
    if not folder.is_dir():
        raise EchoEdgeError(f"{folder} is a file; --out names a folder")
    if any(folder.iterdir()):
        raise EchoEdgeError(f"{folder} is not empty; give --out a new folder, or move what is in there")


def _folder(out: str) -> Path:
    """Make the folder of the results: the one that is named, or a new one below RUNS."""
    if not out:
        stem = time.strftime("%Y-%m-%d-%H%M%S")
        number = 1
        while True:
            folder = RUNS / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                number += 1
            except OSError as error:
                raise EchoEdgeError(f"cannot make the folder {folder}: {error.strerror}; give --out") from error
            else:
                return folder
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EchoEdgeError(f"cannot make the folder {folder}: {error.strerror}; give another --out") from error
    return folder


def _not_begun(clip: Clip) -> Row:
    return Row(number=clip.number, name=clip.name, source=clip.source, study=clip.study, status="not begun")


class _Lines:
    """Each row on disk as soon as it is there; a second call into the same folder is refused."""

    def __init__(self, path: Path) -> None:
        self._file = GrowingFile(path)
        self._stream = self._file.part.open("wb", buffering=0)

    def __enter__(self) -> _Lines:
        return self

    def write(self, row: Row) -> None:
        self._stream.write(msgspec.json.encode(document(row)) + b"\n")

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._file.settle(True)
