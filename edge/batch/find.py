"""What was asked for, files, globs, folders and DICOMDIRs, as clips; and what was left out, with the reason."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from edge.batch.header import is_directory, listed, look
from edge.batch.names import Names
from edge.errors import EchoEdgeError
from edge.sources import dicom, images, video
from edge.sources.address import file_path, redacted, scheme_of
from edge.sources.natural import natural_order

DICOMDIR = "DICOMDIR"
RESULTS = "clips.jsonl"
"""What a folder of results holds: such a folder is not searched."""
RECORDING, PICTURE = "recording", "picture"
FINITE = ("", "file", "synth")
"""Schemes of sources that may come to an end by themselves."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A recording: its address, the name of its outputs, and the study that it is of. Both count from 1.

    `is_known_study`: the file itself says so; else clips that were given together, or lie in one folder, are one
    patient's.
    """

    number: int
    source: str
    name: str
    study: int
    is_known_study: bool = False


@dataclass(frozen=True)
class Skipped:
    """A file that is no recording, and why."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """Clips in the order of their studies, and what was left out."""

    clips: tuple[Clip, ...]
    skipped: tuple[Skipped, ...]

    @property
    def studies(self) -> int:
        """How many there are."""
        return max((clip.study for clip in self.clips), default=0)


def is_searched(source: str) -> bool:
    """Whether one source stands for as many clips as are found there: a glob, a DICOMDIR, or a folder that is not a
    recording of pictures by itself."""
    if scheme_of(source) not in ("", "file"):
        return False
    path = file_path(source)
    if path.is_dir():
        files = (file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        return not _are_pictures(map(_kind_of, files))
    return is_directory(path) if path.is_file() else glob.has_magic(source) and not _names_a_file(source)


def find_clips(sources: Sequence[str]) -> Found:
    """Every clip that the sources stand for, each once.

    Raises EchoEdgeError for a source without an end, a glob that nothing fits, and where there is no clip at all.
    """
    search = _Search()
    for source in sources:
        search.add(source)
    if not search.found:
        raise EchoEdgeError(f"no recording was found in {', '.join(map(redacted, sources))}{_why(search.skipped)}")
    return Found(clips=tuple(_numbered(search.found)), skipped=tuple(search.skipped))


@dataclass(frozen=True)
class _Candidate:
    """An address, the key of its study, and whether the file itself gave that."""

    source: str
    study: str
    is_known: bool


@dataclass
class _Search:
    found: list[_Candidate] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    _seen: set[Path] = field(default_factory=set)

    def add(self, source: str) -> None:
        """What one source stands for."""
        if scheme_of(source) not in FINITE or _has_no_end(source):
            raise EchoEdgeError(f"{redacted(source)} has no end; give it alone, or recordings without ?loop and ?pace")
        path = file_path(source)
        if scheme_of(source) == "synth" or _names_a_file(source):
            self._take(source, path)
        elif path.is_dir():
            self._folder(path)
        elif glob.has_magic(source):
            fitting = sorted(glob.glob(source, recursive=True), key=natural_order)
            if not fitting:
                raise EchoEdgeError(f"nothing is called {source}; check the folder and the pattern")
            for match in fitting:
                self.add(match)
        else:  # its row says that it does not exist
            self._take(source, path)

    def _take(self, source: str, path: Path, folder: Path | None = None) -> None:
        """One file, given or found in a folder."""
        if path.exists():
            if path.resolve() in self._seen:
                return
            self._seen.add(path.resolve())
            if is_directory(path):
                return self._dicomdir(path)
        header = look(path)
        if folder is not None and header.problem:
            self.skipped.append(Skipped(str(path), header.problem))
            return
        group = "" if folder is None else str(folder.resolve())
        self.found.append(_Candidate(source, header.study or f"together {group}", bool(header.study)))

    def _dicomdir(self, path: Path) -> None:
        """The files that a DICOMDIR lists; where it cannot be read, its folder is searched."""
        try:
            files = listed(path)
        except EchoEdgeError as error:
            self.skipped.append(Skipped(str(path), f"{error}; its folder is searched instead"))
            return self._tree(path.parent)
        for file in files:
            self._take(str(file), file, path.parent)

    def _folder(self, folder: Path) -> None:
        directory = next((file for file in folder.iterdir() if file.name.upper() == DICOMDIR), None)
        if directory is not None and is_directory(directory):
            self._take(str(directory), directory)
        else:
            self._tree(folder)

    def _tree(self, top: Path) -> None:
        def unreadable(error: OSError) -> None:
            self.skipped.append(Skipped(str(error.filename), error.strerror or "cannot be read"))

        for root, folders, names in os.walk(top, onerror=unreadable):
            if RESULTS in names:
                self.skipped.append(Skipped(root, "results of an earlier call"))
                folders.clear()
                continue
            folders[:] = sorted((name for name in folders if not name.startswith(".")), key=natural_order)
            self._files(Path(root), sorted((name for name in names if not name.startswith(".")), key=natural_order))

    def _files(self, folder: Path, names: Iterable[str]) -> None:
        """The recordings of one folder; where it holds nothing but pictures, these are one."""
        kinds = {path: _kind_of(path) for path in (folder / name for name in names)}
        pictures = _are_pictures(kinds.values())
        if pictures:
            self._take(str(folder), folder, folder)
        for path, kind in kinds.items():
            if kind == RECORDING:
                if not is_directory(path):
                    self._take(str(path), path, folder)
            elif kind != PICTURE:
                self.skipped.append(Skipped(str(path), kind))
            elif not pictures:
                self.skipped.append(Skipped(str(path), "a picture beside recordings; give it by itself"))


def _kind_of(path: Path) -> str:
    """RECORDING, PICTURE, or why it is neither."""
    suffix = path.suffix.lower()
    try:
        if suffix in video.SUFFIXES or suffix in dicom.SUFFIXES or dicom.is_dicom(path):
            return RECORDING
    except OSError as error:
        return error.strerror or "cannot be read"
    return PICTURE if suffix in images.SUFFIXES else "not a video, a DICOM file or a picture"


def _are_pictures(kinds: Iterable[str]) -> bool:
    """Whether the files of a folder are one recording: some are pictures, and none is a recording."""
    found = set(kinds)
    return PICTURE in found and RECORDING not in found


def _names_a_file(source: str) -> bool:
    """Whether there is such a file, with or without the options behind it."""
    return file_path(source).is_file() or file_path(source.partition("?")[0]).is_file()


def _has_no_end(source: str) -> bool:
    if file_path(source).exists():
        return False
    options = dict(parse_qsl(urlsplit(source).query, keep_blank_values=True))
    return options.get("frames") == "0" or "loop" in options or options.get("pace") == "native"


def _numbered(found: Iterable[_Candidate]) -> Iterator[Clip]:
    """The clips of each study one after the other, in the order in which the studies came."""
    studies: dict[str, list[_Candidate]] = {}
    for candidate in found:
        studies.setdefault(candidate.study, []).append(candidate)
    names, number = Names(), 0
    for study, candidates in enumerate(studies.values(), start=1):
        for candidate in candidates:
            number += 1
            yield Clip(
                number=number,
                source=candidate.source,
                name=names.of(candidate.source),
                study=study,
                is_known_study=candidate.is_known,
            )


def _why(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return ": no file is there"
    return (
        f"; left out: {skipped[0].path}: {skipped[0].reason}{f' (and {len(skipped) - 1} more)' if skipped[1:] else ''}"
    )
